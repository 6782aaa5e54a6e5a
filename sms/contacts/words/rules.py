"""What a text to a line says: no more, again, or something else. Plain Python."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sms.core.errors import Refusal
from sms.core.text import N_
from sms.core.words import folded

WORD_LENGTH = 30
REPLY_LENGTH = 1_000


class Action(StrEnum):
    """What a word does to who sends it."""

    OUT = "out"
    IN = "in"
    NONE = "none"


ACTION_LABELS: dict[str, str] = {
    Action.OUT: N_("no more texts from the line"),
    Action.IN: N_("texts from the line again"),
    Action.NONE: N_("means nothing"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """A text somebody sent to a line: its owner (None: a public line), and the sender's number (98…)."""

    line_id: int
    account_id: int | None
    sender: int
    body: str


class Words:
    """The words that are known, those of a line before those of every line."""

    def __init__(self, known: Iterable[tuple[int | None, str, str]]) -> None:
        """`known` are (line or None, folded word, action)."""
        self._known: Mapping[tuple[int | None, str], Action] = {
            (line_id, word): Action(action) for line_id, word, action in known
        }
        self._longest = max((len(word) for _, word in self._known), default=0)

    def action(self, line_id: int, body: str) -> Action:
        """What a text says; only a text that is nothing but the word says it."""
        if len(body) > WORD_LENGTH + 10 * self._longest:  # room for every joiner and blank there may be
            return Action.NONE
        word = folded(body)
        return self._known.get((line_id, word)) or self._known.get((None, word)) or Action.NONE


def last_said(texts: Sequence[Said], words: Words) -> dict[tuple[int, int], tuple[Said, Action]]:
    """What each sender of these said last to each line, of those who said anything; by line and sender."""
    found: dict[tuple[int, int], tuple[Said, Action]] = {}
    for text in texts:
        action = words.action(text.line_id, text.body)
        if action is not Action.NONE:
            found[text.line_id, text.sender] = (text, action)
    return found


def check_word(word: str) -> str:
    """A word as it is shown, trimmed; raises Refusal when it says nothing or is too long."""
    trimmed = " ".join(word.split())
    if not folded(trimmed) or len(trimmed) > WORD_LENGTH:
        raise Refusal(N_("A word has 1 to %(most)s characters."), most=WORD_LENGTH)
    return trimmed


def check_reply(body: str) -> str:
    """What is answered; empty for nothing. Raises Refusal when it is too long."""
    trimmed = body.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").strip()
    if len(trimmed) > REPLY_LENGTH:
        raise Refusal(N_("An answer has at most %(most)s characters."), most=REPLY_LENGTH)
    return trimmed
