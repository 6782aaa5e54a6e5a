"""The rows of a send, streamed from its draft into the tables: each recipient is priced on the way."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field

from sms.billing.queries import Price
from sms.core.db import array, copy_in, copy_text, rows, scalar
from sms.core.errors import Refusal
from sms.core.parts import Measure
from sms.core.phone import NetworkGuess
from sms.core.text import N_
from sms.lines.queries import UsableLine
from sms.operators.rules import Outcome
from sms.outbox.intake.queries import chunks
from sms.outbox.intake.rules.packing import DUPLICATE, INVALID, VALID, unpack
from sms.outbox.intake.rules.pricing import losses_mrial
from sms.outbox.models import Draft
from sms.outbox.rules import (
    Terms,
)

_HEAD = 7  # 98 and five national digits decide the network
_SKIPPED = {VALID: Outcome.OPTED_OUT, DUPLICATE: Outcome.DUPLICATE, INVALID: Outcome.INVALID}
_MESSAGE_COLUMNS = (
    *("id", "row_number", "recipient", "batch_id", "given", "outcome"),
    *("account_id", "campaign_id", "line_id", "network_id", "parts", "price_mrial", "cost_mrial", "shares_mrial"),
)


@dataclass(slots=True)
class Loading:
    """What is being written of one campaign; filled while its rows stream by."""

    campaign_id: int
    account_id: int
    line: UsableLine
    measured: Measure
    ending: str
    prices: dict[int, Price]
    guess: NetworkGuess
    opted_out: Set[str]
    terms: Terms
    payers: tuple[int, ...] = ()
    payee_wallet_ids: Sequence[int] = ()
    is_free: bool = False
    next_id: int = 0
    batch_ids: list[int] = field(default_factory=list)
    batches: list[tuple[int, int, int, int]] = field(default_factory=list)
    heads: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    tails: dict[str, tuple[str, Price]] = field(default_factory=dict)  # with the price of a whole message

    @property
    def held_mrial(self) -> int:
        """The exact price of all that is sent."""
        return sum(price.price_mrial * count for price, count in self._sold().items())

    @property
    def losses_mrial(self) -> list[int]:
        """What each reseller above loses, where its price is below its own: nearest first."""
        return losses_mrial(self._sold(), levels=len(self.payers), parts=1)

    def _sold(self) -> Counter[Price]:
        sold = Counter[Price]()
        for head, count in self.heads.items():
            sold[self.tails[head][1]] += count
        return sold

    def tail(self, head: str) -> str:
        """The columns that are alike for all recipients of one network."""
        known = self.tails.get(head)
        if known is None:
            network_id = self.guess.of(int(head) * 10**5)
            price = self.prices[network_id].of(self.measured.parts)
            shares = array(price.shares_mrial) if self.payers else "\\N"
            text = (
                f"\t\\N\t\\N\t{self.account_id}\t{self.campaign_id}\t{self.line.id}\t{network_id}"
                f"\t{self.measured.parts}\t{price.price_mrial}\t{price.cost_mrial}\t{shares}\n"
            )
            known = self.tails[head] = (text, price)
        return known[0]


def load(loading: Loading, draft: Draft) -> None:
    """Copy every row of the draft in, sent or skipped; raises Refusal when nobody is left to send to."""
    packed = chunks(draft.id)  # before COPY takes the connection
    total = draft.valid_count + draft.invalid_count + draft.duplicate_count
    first_id = loading.next_id = int(scalar("SELECT outbox_reserve_ids(:total)", total=total))
    loading.batch_ids = [
        found.id
        for found in rows(
            "SELECT nextval(pg_get_serial_sequence('outbox_batch', 'id')) AS id FROM generate_series(1, :n)"
            " ORDER BY id",
            n=-(-draft.valid_count // loading.line.batch_size),
        )
    ]
    copy_in("outbox_message", _MESSAGE_COLUMNS, _blocks(loading, packed))
    if loading.next_id != first_id + total:
        raise RuntimeError(f"draft {draft.id} holds other rows than it counts")
    if not loading.heads:
        raise Refusal(N_("Nobody is left to send to: every recipient is invalid, repeated or opted out."))


def _blocks(loading: Loading, packed: Iterable[bytes]) -> Iterator[str]:
    """The rows of outbox_message, a chunk at a time; batches are cut on the way."""
    size, opted_out, tail = loading.line.batch_size, loading.opted_out, loading.tail
    waiting = iter(loading.batch_ids)
    batch_id = first_id = last_id = sent_in_batch = 0
    message_id = loading.next_id
    for chunk in packed:
        lines: list[str] = []
        heads: list[str] = []
        for kind, row_number, text in unpack(chunk):
            if kind == VALID and text not in opted_out:
                if not sent_in_batch:
                    batch_id, first_id = next(waiting), message_id
                head = text[:_HEAD]
                heads.append(head)
                lines.append(f"{message_id}\t{row_number}\t{text}\t{batch_id}{tail(head)}")
                sent_in_batch += 1
                last_id = message_id
                if sent_in_batch == size:
                    loading.batches.append((batch_id, first_id, last_id, size))
                    sent_in_batch = 0
            else:
                lines.append(_skipped(loading, message_id, kind, row_number, text))
            message_id += 1
        loading.heads.update(heads)
        loading.next_id = message_id
        yield "".join(lines)
    if sent_in_batch:
        loading.batches.append((batch_id, first_id, last_id, sent_in_batch))


def _skipped(loading: Loading, message_id: int, kind: str, row_number: str, text: str) -> str:
    """The row of a recipient nobody writes to: it costs nothing, and it is in the report."""
    outcome = _SKIPPED[kind]
    loading.skipped[outcome] += 1
    recipient, given = ("\\N", copy_text(text)) if kind == INVALID else (text, "\\N")
    return (
        f"{message_id}\t{row_number}\t{recipient}\t\\N\t{given}\t{outcome}\t{loading.account_id}"
        f"\t{loading.campaign_id}\t{loading.line.id}\t0\t0\t0\t0\t\\N\n"
    )
