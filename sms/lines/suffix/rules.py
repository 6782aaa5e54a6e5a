"""What a text ends with where its line demands that it tells how to opt out. Plain Python."""

from sms.core.errors import Refusal
from sms.core.text import N_
from sms.core.words import folded

SUFFIX_LENGTH = 30


def check_suffix(suffix: str) -> str:
    """The words, trimmed; raises Refusal when they say nothing or are too long."""
    words = " ".join(suffix.split())
    if not folded(words) or len(words) > SUFFIX_LENGTH:
        raise Refusal(N_("These words have 1 to %(most)s characters."), most=SUFFIX_LENGTH)
    return words


def ending_of(body: str, suffix: str) -> str:
    """What is put behind a text so that it ends with how to opt out: nothing where nothing is demanded, or where it
    ends so already, in whatever spelling; else the words on a line of their own."""
    wanted = folded(suffix)
    said = folded(body)
    if not wanted:
        return ""
    if said.endswith(wanted):
        before = said[: -len(wanted)][-1:]
        if not (wanted[0].isdecimal() and before.isdecimal()):  # a number that only ends alike says nothing
            return ""
    return f"\n{suffix}"
