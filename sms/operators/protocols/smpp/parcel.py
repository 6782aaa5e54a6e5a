"""A submission on its way: which of its PDUs are unsent, flying or answered, and what that means for each message."""

from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum

from sms.operators.contract import Answer, AnswerKind, PartRef, Settled, Submission
from sms.operators.protocols.smpp.pdus import SubmitTemplate

_ACCEPTED = AnswerKind.ACCEPTED
_SHOWN_PARTS = 8


class Reported(StrEnum):
    """On which parts of a long text the operator sends receipts."""

    ALL = "all"
    LAST = "last"
    FIRST = "first"


class _Lost:
    """The word on a part that nobody answered."""


_LOST = _Lost()
_Word = str | Answer | _Lost  # the operator's id of a part, its refusal, or neither


class Parcel:
    """One submission; a PDU of it is known by its position: message × parts + part.

    Parts of one message are handed out together, so that a text is hardly ever cut by the end of a link.
    """

    def __init__(
        self,
        submission: Submission,
        ticket: object,
        *,
        templates: Sequence[SubmitTemplate],
        own: Sequence[Sequence[SubmitTemplate]] = (),
        reported: Reported,
        keep: Callable[[str], str],
        tells_reference: bool,
    ) -> None:
        self._envelopes = submission.envelopes
        self._ticket = ticket
        self._templates = templates
        self._own = own  # of each message, where each has a text of its own
        self._parts = len(templates)
        self._reported = reported
        self._keep = keep
        self._tells_reference = tells_reference
        self._total = len(self._envelopes) * self._parts
        self._next = 0  # the first position that was never handed out
        self._again: list[int] = []  # handed out, and certainly not taken
        self._open = self._total
        self._words: dict[int, list[_Word | None]] = {}
        self._answers: dict[int, Answer] = {}
        self._part_refs: list[PartRef] = []
        self._unsent: list[int] = []
        self.waited_seconds = 0.0  # of the last answer
        self.taken_back_at: float | None = None  # for the first time, by the monotonic clock

    @property
    def is_single(self) -> bool:
        """Whether it is one message, which somebody may be waiting for."""
        return len(self._envelopes) == 1

    @property
    def is_settled(self) -> bool:
        """Whether nothing of it is open any more."""
        return self._open == 0

    @property
    def waiting_count(self) -> int:
        """How many of its PDUs wait to be sent."""
        return self._total - self._next + len(self._again)

    def take(self, room: int, *, may_cut: bool) -> list[int]:
        """Up to `room` positions to send now; a text in parts only whole, unless it `may_cut`."""
        taken: list[int] = []
        if self._again:
            taken, self._again = self._again[:room], self._again[room:]
            room -= len(taken)
        if self._parts > 1 and not may_cut:
            room = max(0, room - (room - -self._next % self._parts) % self._parts) if room else 0
        end = min(self._next + room, self._total)
        taken.extend(range(self._next, end))
        self._next = end
        return taken

    def frame(self, position: int, sequence: int) -> bytes:
        """The PDU at a position."""
        if self._parts == 1:
            envelope = self._envelopes[position]
            template = self._own[position][0] if self._own else self._templates[0]
        else:
            index, part = divmod(position, self._parts)
            envelope = self._envelopes[index]
            template = self._own[index][part] if self._own else self._templates[part]
        return template.fill(envelope.recipient, sequence, envelope.message_id if self._tells_reference else None)

    def accepted(self, position: int, ref: str) -> None:
        """The operator took it."""
        self._open -= 1
        if self._parts == 1:
            message_id = self._envelopes[position].message_id
            self._answers[message_id] = Answer(message_id, _ACCEPTED, self._keep(ref))
        else:
            self._say(position, self._keep(ref))

    def refused(self, position: int, answer: Answer) -> None:
        """The operator said no to it for good; the message id of `answer` is filled in here."""
        self._open -= 1
        if self._parts == 1:
            message_id = self._envelopes[position].message_id
            self._answers[message_id] = answer._replace(message_id=message_id)
        else:
            self._say(position, answer)

    def lost(self, position: int) -> None:
        """It was on the wire when the link ended."""
        self._open -= 1
        if self._parts > 1:
            self._say(position, _LOST)

    def not_taken(self, position: int) -> None:
        """The operator took nothing, and may be asked again."""
        self._again.append(position)

    def take_back(self, *, completes: bool = False) -> None:
        """What waits is not sent any more. A message of which a part is out already cannot be called unsent: the rest
        of it goes on waiting when this `completes` such texts, else it is lost."""
        waiting = [*self._again, *range(self._next, self._total)]
        self._again, self._next = [], self._total
        if self._parts == 1:
            self._open -= len(waiting)
            self._unsent.extend(self._envelopes[position].message_id for position in waiting)
            return
        waiting_parts = Counter(position // self._parts for position in waiting)
        for position in waiting:
            index = position // self._parts
            if waiting_parts[index] == self._parts:
                self._open -= 1
            elif completes:
                self._again.append(position)
            else:
                self.lost(position)
        self._unsent.extend(
            self._envelopes[index].message_id for index, count in waiting_parts.items() if count == self._parts
        )

    def settled(self) -> Settled:
        """What became of it."""
        return Settled(self._ticket, self._answers, self._part_refs, self._unsent, self.waited_seconds)

    # Texts in parts

    def _say(self, position: int, word: _Word) -> None:
        index, part = divmod(position, self._parts)
        words = self._words.setdefault(index, [None] * self._parts)
        words[part] = word
        if all(each is not None for each in words):
            self._conclude(self._envelopes[index].message_id, self._words.pop(index))

    def _conclude(self, message_id: int, words: Sequence[_Word | None]) -> None:
        """All parts refused: refused. One of unknown fate: the message is. Else it was taken, perhaps not whole."""
        refs = [word if isinstance(word, str) else "" for word in words]
        refusals = [word for word in words if isinstance(word, Answer)]
        if len(refusals) == self._parts:
            self._answers[message_id] = refusals[0]._replace(message_id=message_id)
            return
        if self._reported is Reported.ALL:
            self._part_refs.extend(
                PartRef(message_id, part, self._parts, ref) for part, ref in enumerate(refs, start=1) if any(refs)
            )
        if _LOST not in words:
            match self._reported:
                case Reported.ALL:  # for people: no report is about the whole
                    ref = ",".join(refs[:_SHOWN_PARTS])
                case Reported.LAST:
                    ref = refs[-1]
                case Reported.FIRST:
                    ref = refs[0]
            self._answers[message_id] = Answer(message_id, _ACCEPTED, ref)
