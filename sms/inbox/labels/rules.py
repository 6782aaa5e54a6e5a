"""What a label may be. Plain Python."""

from sms.core.errors import Refusal
from sms.core.text import N_
from sms.operators.rules import COLOUR_LABELS

NAME_LENGTH = 30
MOST_LABELS = 50  # of an account: pages show all of them


def check_label(name: str, colour: str) -> tuple[str, str]:
    """Name, trimmed, and colour; raises Refusal."""
    trimmed = " ".join("".join(letter for letter in name if letter.isprintable() or letter in " \u200c\t\n").split())
    if not 0 < len(trimmed) <= NAME_LENGTH:
        raise Refusal(N_("A label's name has 1 to %(most)s characters."), most=NAME_LENGTH)
    if colour not in COLOUR_LABELS:
        raise Refusal(N_("Choose one of the colours."))
    return trimmed, colour
