"""What a draft will cost and whom it will reach, before anything is sent; no recipient is read for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.billing.queries import PriceList, price_lists
from sms.core.errors import Refusal, SmsError
from sms.core.parts import Encoding, measure, profile_of
from sms.core.text import N_
from sms.ledger.queries import customer_wallet
from sms.ledger.rules import missing
from sms.lines.public.rules import Payment
from sms.lines.queries import UsableLine, usable_lines
from sms.operators.queries import networks
from sms.outbox.intake.queries import draft as draft_of
from sms.outbox.intake.rules.pricing import language_of, measured, sendable, total_mrial
from sms.outbox.models import Draft
from sms.outbox.queries.linked import link_refusal, worded
from sms.outbox.queries.trials import judge

_STANDARD_UNITS = 67


@dataclass(frozen=True, slots=True)
class NetworkShare:
    """The recipients of one network, and the price of a part to it over the line in question (None: no price)."""

    network_id: int
    name_fa: str
    name_en: str
    count: int
    price_mrial: int | None


@dataclass(frozen=True, slots=True)
class LinePreview:
    """What the send would be over one line. With a `problem` (a refusal) it cannot go over it."""

    line: UsableLine
    parts: int
    sendable_count: int
    opted_out_count: int
    total_mrial: int | None
    networks: tuple[NetworkShare, ...]
    missing_mrial: int
    problem: SmsError | None
    is_chosen: bool
    is_free: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """A ready draft looked at; `line`, `total_mrial` and `missing_mrial` are those of the line that is chosen.

    `networks` counts the valid recipients; who has opted out of the chosen line is no longer among them.
    """

    encoding: Encoding
    units: int
    parts: int
    left: int
    ending: str
    networks: tuple[NetworkShare, ...]
    lines: tuple[LinePreview, ...]
    line: UsableLine | None
    rows_read: int
    sendable_count: int
    invalid_count: int
    duplicate_count: int
    opted_out_count: int
    total_mrial: int | None
    balance_mrial: int
    credit_limit_mrial: int
    missing_mrial: int
    problem: SmsError | None

    @property
    def skipped_count(self) -> int:
        """Rows nobody will be written to."""
        return self.invalid_count + self.duplicate_count + self.opted_out_count


def preview(*, account_id: int, draft_id: int, at: datetime) -> Preview:
    """Price a ready draft over every line the account may use; raises NotFound."""
    draft = draft_of(account_id, draft_id)
    wallet = customer_wallet(account_id)
    known = networks()
    usable = usable_lines(account_id, at=at)
    prices = price_lists(account_id=account_id, operators={line.id: line.operator_id for line in usable}, at=at)
    spendable = wallet.balance_mrial + wallet.credit_limit_mrial
    lines = tuple(_over(line, draft, known, prices[line.id], spendable_mrial=spendable, at=at) for line in usable)
    chosen = next((found for found in lines if found.is_chosen), None)
    body = chosen.line.text_of(worded(draft)) if chosen else worded(draft)
    text = measure(body, profile_of(chosen.line.joined_units if chosen else _STANDARD_UNITS))
    counts = sendable(draft.networks, draft.suppressed, line_id=draft.line_id)
    return Preview(
        encoding=text.encoding,
        units=text.units,
        parts=text.parts,
        left=text.left,
        ending=body.removeprefix(draft.body),
        networks=chosen.networks if chosen else _shares(known, counts, {}),
        lines=lines,
        line=chosen.line if chosen else None,
        rows_read=draft.rows_read,
        sendable_count=sum(counts.values()),
        invalid_count=draft.invalid_count,
        duplicate_count=draft.duplicate_count,
        opted_out_count=draft.valid_count - sum(counts.values()),
        total_mrial=chosen.total_mrial if chosen else None,
        balance_mrial=wallet.balance_mrial,
        credit_limit_mrial=wallet.credit_limit_mrial,
        missing_mrial=chosen.missing_mrial if chosen else 0,
        problem=chosen.problem if chosen else Refusal(N_("Choose a line that you may send from.")),
    )


def _over(
    line: UsableLine,
    draft: Draft,
    known: Sequence[Row[Any]],
    listed: PriceList | Refusal,
    *,
    spendable_mrial: int,
    at: datetime,
) -> LinePreview:
    counts = sendable(draft.networks, draft.suppressed, line_id=line.id)
    count = sum(counts.values())
    prices: dict[int, int] = {}
    parts, total, problem, is_free = 0, None, None, False
    try:
        text = measured(line.text_of(worded(draft)), joined_units=line.joined_units)
        parts = text.parts
        language = language_of(text.encoding)
        if isinstance(listed, Refusal):
            raise listed
        prices = {network: price.price_mrial for (network, spoken), price in listed.items() if spoken == language}
        verdict = judge(line, account_id=draft.account_id, draft_id=draft.id, count=count, payment=Payment.TARIFF)
        problem, is_free = verdict.refusal or link_refusal(draft, line, begins_at=at), verdict.is_free
        total = 0 if is_free else total_mrial(counts, prices, parts=parts)
        if not count:
            problem = Refusal(N_("Nobody is left to send to: every recipient is invalid, repeated or opted out."))
    except Refusal as refusal:
        problem = refusal
    return LinePreview(
        line=line,
        parts=parts,
        sendable_count=count,
        opted_out_count=draft.valid_count - count,
        total_mrial=total,
        networks=_shares(known, counts, prices),
        missing_mrial=missing(balance_mrial=spendable_mrial, credit_limit_mrial=0, amount_mrial=total or 0),
        problem=problem,
        is_chosen=line.id == draft.line_id,
        is_free=is_free,
    )


def _shares(known: Sequence[Row[Any]], counts: dict[int, int], prices: dict[int, int]) -> tuple[NetworkShare, ...]:
    """The networks that have recipients, the largest first."""
    shares = [
        NetworkShare(network.id, network.name_fa, network.name_en, counts[network.id], prices.get(network.id))
        for network in known
        if counts.get(network.id)
    ]
    return tuple(sorted(shares, key=lambda share: -share.count))
