"""What the links of one account share: the receipts on their way, the parts to be joined, the limits."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from sms.simulator import texts
from sms.simulator.controls import Controls
from sms.simulator.desk import Desk
from sms.simulator.faults import FOREIGN
from sms.simulator.smpp import inbound, receipts
from sms.simulator.smpp.joining import Joining
from sms.simulator.smpp.pdu import Submit
from sms.simulator.smpp.receipts import Manner, Receipt

_UCS2 = 8  # the data coding; in any other, letters and digits stand where Latin-1 has them
_TICKS = 50  # a second
_TICK_SECONDS = 1 / _TICKS
_HOUSEKEEPING_SECONDS = 0.5
_CALM = ("is_silent", "refuse_status", "max_per_second", "window", "close_with_unanswered")
_CALM_SHARES = (
    *("cut_reply_share", "late_share", "garbage_share", "queue_full_share", "nack_share", "same_id_share"),
    *("early_receipt_share", "odd_receipt_share", "twice_receipt_share", "flipped_receipt_share"),
    "stranger_receipt_share",
)

Delivery = Receipt | bytes  # a receipt, or the body of a part of a text from a person


class Receiver(Protocol):
    """A link that takes deliveries."""

    def room(self) -> int:
        """How many more it takes now."""

    def deliver(self, deliveries: list[Delivery], now: float) -> None:
        """Send them."""

    def overdue(self, before: float) -> list[Delivery]:
        """Those sent before this moment and not acknowledged; they are no longer this link's."""


class Member(Protocol):
    """Any link, bound or not."""

    def look_after(self, now: float) -> None:
        """Ask whether the far side is there, or give it up."""

    def follow(self) -> None:
        """Adapt to the knobs as they are now."""

    def abort(self) -> None:
        """Drop the link this instant."""


class Exchange:
    """One account at the message centre. Its links put submits in and get deliveries out."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.members: set[Member] = set()
        self.receivers: deque[Receiver] = deque()
        self.counts: Counter[str] = Counter()
        self.address = ""
        self._timer: asyncio.TimerHandle | None = None
        self._kept_at = 0.0
        self._begin()
        self.follow()

    def _begin(self) -> None:
        self.joining = Joining()
        self.cut = self.desk.truth.recipients_ending(99)  # whose link was closed instead of an answer
        self.last_id = 0
        self._wheel: dict[int, list[Delivery]] = {}
        self._waiting: deque[Delivery] = deque()
        self._second = self._in_second = 0
        self.counts.clear()

    def start_over(self) -> None:
        """Forget everything; the links stay."""
        for receiver in self.receivers:
            receiver.overdue(float("inf"))
        self._begin()
        self.follow()

    def follow(self) -> None:
        """Adapt to the knobs as they are now."""
        self.knobs: Controls = self.desk.controls
        self.manner = Manner(self.knobs.receipt_style, self.knobs.is_reference_echoed)
        self.is_calm = not any(getattr(self.knobs, name) for name in _CALM + _CALM_SHARES)
        for member in list(self.members):
            if self.knobs.is_cut_off:
                member.abort()
            else:
                member.follow()

    def turn(self, **knobs: int) -> None:
        """Turn knobs from within: of something that happens once."""
        self.desk.controls = replace(self.desk.controls, **knobs)  # type: ignore[arg-type]
        self.follow()

    def shown(self) -> dict[str, object]:
        """What is under way, ready for JSON."""
        return {
            "address": self.address,
            "links": len(self.members),
            "receiving_links": len(self.receivers),
            "receipts_due": sum(map(len, self._wheel.values())),
            "receipts_waiting": len(self._waiting),
            **{name: self.counts[name] for name in ("delivered", "repeated", "acknowledged")},
        }

    def is_throttled(self, now: float) -> bool:
        """Whether one more submit is more than this second has room for."""
        if not self.knobs.max_per_second:
            return False
        if self._second != int(now):
            self._second, self._in_second = int(now), 0
        self._in_second += 1
        return self._in_second > self.knobs.max_per_second

    # Submits

    def accept(self, submit: Submit, number: int, parts: int, now: float) -> tuple[int, float]:
        """Take a submit into the truth; its id, and the moment of its report."""
        truth, part = self.desk.truth, submit.part
        alphabet = "utf-16-be" if submit.coding == _UCS2 else "latin-1"
        self.desk.texts.append((number, submit.text.decode(alphabet, "replace")))
        ready_at = now + self.desk.delay(number)
        first_id = part and self.joining.message_of(submit.line, number, part, now)
        if first_id:
            return truth.join(first_id, accepted_at=now), ready_at
        message_id = truth.add(
            uid=0,
            recipient=number,
            parts=parts,
            accepted_at=now,
            ready_at=ready_at,
            of=part.total if part else 0,
            reference=submit.reference,
        )
        if part:
            self.joining.begin(submit.line, number, part, message_id, now)
        return message_id, ready_at

    def is_wanted(self, submit: Submit, number: int) -> bool:
        """Whether this submit is to have a receipt: it asks for one, there is one, and its part gets one."""
        if not submit.registered & 3 or not receipts.is_wanted(submit.registered, number):
            return False
        if submit.part is None or self.knobs.receipts_for == "all":
            return True
        return submit.part.number == (1 if self.knobs.receipts_for == "first" else submit.part.total)

    def is_cut_now(self, number: int) -> bool:
        """Whether the link is to be closed instead of an answer; once for each recipient."""
        if not self.knobs.is_cut_by_digits or number in self.cut:
            return False
        self.cut.add(number)
        return True

    # Deliveries

    def promise(self, receipt: Receipt, ready_at: float) -> None:
        """Have a receipt delivered at this moment, or at once when it is past, and let the knobs spoil it."""
        knobs, desk = self.knobs, self.desk
        if desk.is_happening(knobs.odd_receipt_share):
            receipt = receipt._replace(oddity=desk.random.choice(knobs.odd_receipt_kinds))
        deliveries: list[Delivery] = [receipt]
        if desk.is_happening(knobs.twice_receipt_share):
            deliveries.append(receipt)
        if receipt.is_delivered and desk.is_happening(knobs.flipped_receipt_share):
            deliveries.insert(0, receipt._replace(is_flipped=True))
        if desk.is_happening(knobs.stranger_receipt_share):
            nobody = b"%d" % (FOREIGN + desk.random.randrange(FOREIGN))
            deliveries.append(receipt._replace(message_id=nobody, reference=0))
        if ready_at:
            for delivery in deliveries:
                self.expect(delivery, ready_at)
        else:
            desk.truth.write()
            self.put(deliveries)

    def expect(self, receipt: Delivery, ready_at: float) -> None:
        """Have a receipt delivered at this moment."""
        number = int(ready_at * _TICKS) + 1
        if (slot := self._wheel.get(number)) is None:
            slot = self._wheel[number] = []
            self._keep_ticking()
        slot.append(receipt)

    def put(self, deliveries: Iterable[Delivery]) -> None:
        """Have deliveries made as soon as a link has room."""
        self._waiting.extend(deliveries)
        self.spread(time.time())
        self._keep_ticking()

    def put_back(self, deliveries: list[Delivery]) -> None:
        """Take back what a lost link did not acknowledge."""
        self.counts["repeated"] += len(deliveries)
        self._waiting.extendleft(reversed(deliveries))
        self._keep_ticking()

    def inbound(self, *, sender: str, line: str, body: str, times: int = 1) -> None:
        """A text from a person to a line, delivered so many times; raises ValueError for what is no mobile number."""
        number = texts.phone(sender)
        if number is None or not line.isdecimal():
            raise ValueError("from is a mobile number, to is a line")
        self.put(inbound.bodies(number, line, body, reference=self.desk.random.randrange(256)) * times)

    def spread(self, now: float) -> None:
        """Hand what waits to the links that have room, in equal shares."""
        waiting = self._waiting
        while waiting and self.receivers:
            self.receivers.rotate()
            open_links = [(link, room) for link in self.receivers if (room := link.room()) > 0]
            if not open_links:
                return
            share = -(-len(waiting) // len(open_links))
            for link, room in open_links:
                if count := min(share, room, len(waiting)):
                    link.deliver([waiting.popleft() for _ in range(count)], now)
                    self.counts["delivered"] += count

    def body(self, delivery: Delivery, now: float) -> bytes:
        """The body of the deliver_sm."""
        return delivery if isinstance(delivery, bytes) else receipts.body(delivery, self.manner, now)

    # Time

    def join(self, member: Member) -> None:
        """One more link."""
        self.members.add(member)
        self._keep_ticking()

    def leave(self, member: Member) -> None:
        """One link fewer."""
        self.members.discard(member)

    def _keep_ticking(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = time.time()
        number = int(now * _TICKS)
        for slot in sorted(slot for slot in self._wheel if slot <= number):
            self._waiting.extend(self._wheel.pop(slot))
        if now - self._kept_at >= _HOUSEKEEPING_SECONDS:
            self._kept_at = now
            for receiver in self.receivers:
                self.put_back(receiver.overdue(now - self.knobs.receipt_repeat_seconds))
            for member in list(self.members):
                member.look_after(now)
        self.spread(now)
        if self._wheel or self.members:
            self._keep_ticking()
