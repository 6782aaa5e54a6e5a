"""One simulated operator at work: its character, its knobs, its truth, its money and the texts waiting for it."""

import random
from collections import Counter, deque
from pathlib import Path

from sms.simulator import controls
from sms.simulator.characters import FATES, Character, Speech, report_delay
from sms.simulator.truth import Accepted, Truth

_KEPT = 1000


class Desk:
    """What the protocol in front of it asks and changes; it knows nothing of the protocol itself."""

    def __init__(self, character: Character, *, truth_dir: Path, seed: int) -> None:
        self.character = character
        self.truth = Truth(truth_dir / f"truth-{character.code}.jsonl")
        self._seed = seed
        self._start_over()

    def _start_over(self) -> None:
        self.controls = controls.untouched(self.character)
        self.credit_mrial = self.character.credit_mrial
        self.inbox: deque[dict[str, object]] = deque()  # texts nobody has fetched
        self.read: deque[dict[str, object]] = deque(maxlen=_KEPT)  # the latest of those that were
        self.texts: deque[tuple[int, str]] = deque(maxlen=_KEPT)  # the latest that were accepted, by recipient
        self.requests: Counter[str] = Counter()
        self.random = random.Random(f"{self._seed}-{self.character.code}")

    def reset(self) -> None:
        """As on the first day: nothing accepted, all knobs untouched."""
        self.truth.forget()
        self._start_over()

    def accept(self, *, uid: int, recipient: int, parts: int, at: float, of: int = 0, reference: int = 0) -> int:
        """Take one message and return its id; the report's moment is settled here, so that no timer is needed."""
        if uid and self.controls.duplicates == "same" and (first := self.known(uid, at)):
            return first.id
        return self.truth.add(
            uid=uid,
            recipient=recipient,
            parts=parts,
            accepted_at=at,
            ready_at=at + self.delay(recipient),
            of=of,
            reference=reference,
        )

    def known(self, uid: int, at: float) -> Accepted | None:
        """The first acceptance of this uid, as long as the operator remembers it."""
        first = self.truth.first_of(uid) if uid else None
        return first if first and at - first.accepted_at <= self.character.uid_horizon_seconds else None

    def delay(self, recipient: int) -> float:
        """Seconds from the acceptance of a message to this recipient until its report; inf when there is none."""
        return report_delay(
            FATES[recipient % 100],
            recipient,
            between=self.controls.report_delay_seconds,
            character=self.character,
            seed=self._seed,
        )

    def is_happening(self, share: float) -> bool:
        """Whether something that happens to this share of requests happens to this one."""
        return share > 0 and self.random.random() < share

    def shown(self) -> dict[str, object]:
        """Knobs and stocks, ready for JSON."""
        stocks = {"credit_mrial": self.credit_mrial, "inbound_waiting": len(self.inbox)}
        has_stocks = self.character.speech is not Speech.SMPP
        return {**controls.shown(self.controls), **(stocks if has_stocks else {})}
