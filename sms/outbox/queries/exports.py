"""Lists as CSV, in slices of lines: flat in memory and quick, whatever their length."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any

from persiantools.digits import fa_to_en
from sqlalchemy import Row

from sms.core.calendar import TEHRAN, day_text
from sms.core.db import release, row, rows
from sms.core.money import MRIAL_PER_RIAL
from sms.core.sheets.delimited import BOM, cell
from sms.core.text import N_
from sms.links.queries import first_clicks
from sms.outbox.intake.queries import SkippedRow
from sms.outbox.queries.messages import MessageFilter, message_ids, progress_of
from sms.outbox.rules import Progress

_SLICE = 20_000

HEADER: tuple[str, ...] = (
    N_("Row"),
    N_("Recipient"),
    N_("As given"),
    N_("Network"),
    N_("Line"),
    N_("Parts"),
    N_("Price (rial)"),
    N_("Outcome"),
    N_("Operator's code"),
    N_("Sent at"),
    N_("Outcome at"),
    N_("Refund (rial)"),
    N_("Refund state"),
    N_("Send"),
    N_("Message"),
    N_("Link followed at"),
    N_("Clicks"),
)
SKIPPED_HEADER: tuple[str, ...] = (N_("Row"), N_("As given"), N_("Why it is skipped"))
REFUND_DUE, REFUNDED = N_("Due"), N_("Refunded")

# What a million lines have in common, batches and lines, is not joined to each of them but looked up by the slice.
_COLUMNS = """
SELECT m.row_number, m.recipient, m.given, m.network_id, m.line_id, m.parts, m.price_mrial, m.outcome, m.code,
       m.final_at, m.batch_id, r.amount_mrial, r.transfer_id, m.campaign_id, m.id
FROM outbox_message m LEFT JOIN outbox_refund r ON r.message_id = m.id
"""
_RECIPIENTS = """
SELECT m.id, m.row_number, m.recipient, m.given, m.parts, m.price_mrial, m.outcome::text AS outcome, m.code, m.final_at,
       b.state AS batch_state, b.submitted_at, u.message_id IS NOT NULL AS is_unknown,
       r.amount_mrial, r.due_at, r.transfer_id
FROM outbox_message m
LEFT JOIN outbox_batch b ON b.id = m.batch_id
LEFT JOIN outbox_unknown u ON u.message_id = m.id
LEFT JOIN outbox_refund r ON r.message_id = m.id
"""

_OF_CAMPAIGN = "WHERE m.id BETWEEN :low AND :high AND m.campaign_id = :campaign_id {and_more} ORDER BY m.id"
_OF_IDS = "WHERE m.id BETWEEN :low AND :high AND m.id = ANY(:ids) ORDER BY m.id DESC"


@dataclass(frozen=True, slots=True)
class Words:
    """A reader's language for an export: the translation, the calendar, names of networks by id, labels by code."""

    translate: Callable[[str], str]
    language: str
    networks: Mapping[int, str]
    labels: Mapping[str, str]


def recipients(*, account_id: int, campaign_id: int) -> Iterator[Sequence[Row[Any]]]:
    """A campaign's recipients in the order they were given, some thousands at a time."""
    return _slices(_RECIPIENTS, account_id=account_id, campaign_id=campaign_id, outcome="")


def _slices(columns: str, *, account_id: int, campaign_id: int, outcome: str) -> Iterator[Sequence[Row[Any]]]:
    campaign = row(
        "SELECT first_id, last_id FROM outbox_campaign WHERE id = :id AND account_id = :account_id",
        id=campaign_id,
        account_id=account_id,
    )
    if campaign is None:
        return
    more = "AND m.outcome = CAST(:outcome AS outbox_outcome)" if outcome else ""
    statement = columns + _OF_CAMPAIGN.format(and_more=more)
    chosen = {"outcome": outcome} if outcome else {}
    for low in range(campaign.first_id, campaign.last_id + 1, _SLICE):
        high = min(low + _SLICE - 1, campaign.last_id)
        yield rows(statement, low=low, high=high, campaign_id=campaign_id, **chosen)
        release()


def of_campaign(*, account_id: int, campaign_id: int, words: Words, outcome: str = "") -> Iterator[str]:
    """A campaign's recipients in the order they were given, header first."""
    yield _header(words)
    for some in _slices(_COLUMNS, account_id=account_id, campaign_id=campaign_id, outcome=outcome):
        yield _lines(some, words)


def of_filter(*, account_id: int, narrowed: MessageFilter, words: Words) -> Iterator[str]:
    """All messages of a filter, newest first, header first."""
    yield _header(words)
    before: int | None = None
    while ids := message_ids(account_id=account_id, narrowed=narrowed, before=before, most=_SLICE):
        yield _lines(rows(_COLUMNS + _OF_IDS, ids=ids, low=ids[-1], high=ids[0]), words)
        before = ids[-1]
        release()


def of_skipped(
    skipped: Iterable[SkippedRow], *, translate: Callable[[str], str], labels: Mapping[str, str]
) -> Iterator[str]:
    """The rows of a list that nobody is written to, and why, header first."""
    yield BOM + ",".join(cell(translate(name)) for name in SKIPPED_HEADER) + "\r\n"
    reasons = {code: cell(label) for code, label in labels.items()}
    lines = (f"{each.row_number},{cell(each.given)},{reasons[each.outcome]}\r\n" for each in skipped)
    while some := "".join(islice(lines, 1_000)):
        yield some


def _header(words: Words) -> str:
    return BOM + ",".join(cell(words.translate(name)) for name in HEADER) + "\r\n"


def _lines(found: Sequence[Any], words: Words) -> str:
    """Rows of `_COLUMNS` as lines. They are taken apart by place: by name it would take twice as long."""
    networks = {network_id: cell(name) for network_id, name in words.networks.items()}
    labels = {code: cell(label) for code, label in words.labels.items()}
    due, refunded = cell(words.translate(REFUND_DUE)), cell(words.translate(REFUNDED))
    language = words.language
    shared = _shared(found, language)
    lines = []
    for message in found:
        (number, recipient, given, network_id, line_id, parts, price, outcome, code,
         final_at, batch_id, refund, transfer_id, campaign_id, message_id) = message  # fmt: skip
        sent_at, progress = shared.batches.get(batch_id, _NO_BATCH)
        if outcome is None:
            outcome = Progress.UNKNOWN if message_id in shared.unknown else progress
        given_back = "," if refund is None else f"{_rial(refund)},{refunded if transfer_id else due}"
        lines.append(
            f"{number},{'' if recipient is None else _local(recipient)},{'' if given is None else cell(given)},"
            f'{networks.get(network_id, "") if parts else ""},"{shared.numbers[line_id]}",{parts},{_rial(price)},'
            f"{labels[outcome]},{'' if code is None else _code(code)},{sent_at},"
            f"{'' if final_at is None else _moment(final_at, language)},{given_back},{campaign_id},{message_id},"
            f"{shared.clicks.get(message_id, ',')}\r\n"
        )
    return "".join(lines)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the messages of a slice have in common: their batches (when sent, where they stand), their lines, which of
    them are of unknown fate, and whose links were followed."""

    batches: Mapping[int, tuple[str, str]]
    numbers: Mapping[int, str]
    unknown: frozenset[int]
    clicks: Mapping[int, str]


_NO_BATCH = ("", str(Progress.QUEUED))


def _shared(found: Sequence[Any], language: str) -> _Shared:
    ids = [message.id for message in found] or [0]
    batches = rows(
        "SELECT id, state AS batch_state, submitted_at, NULL AS outcome, false AS is_unknown FROM outbox_batch"
        " WHERE id = ANY(:ids)",
        ids=list({message.batch_id for message in found} - {None}),
    )
    numbers = rows("SELECT id, number FROM lines_line WHERE id = ANY(:ids)", ids=list({each.line_id for each in found}))
    unknown = rows(
        "SELECT message_id FROM outbox_unknown WHERE message_id = ANY(:ids)",
        ids=[message.id for message in found if message.outcome is None],
    )
    return _Shared(
        batches={
            batch.id: (
                "" if batch.submitted_at is None else _moment(batch.submitted_at, language),
                str(progress_of(batch)),
            )
            for batch in batches
        },
        numbers={line.id: line.number for line in numbers},
        unknown=frozenset(message.message_id for message in unknown),
        clicks={
            message_id: f"{_moment(first_at, language)},{count}"
            for message_id, (first_at, count) in first_clicks(low=min(ids), high=max(ids)).items()
        },
    )


def _local(recipient: int) -> str:
    """0912…, quoted: a spreadsheet that asks takes it for text."""
    return f'"0{recipient % 10**10}"'


@lru_cache(maxsize=1024)
def _code(code: str) -> str:
    return cell(code)


@lru_cache(maxsize=4096)
def _rial(mrial: int) -> str:
    whole, rest = divmod(mrial, MRIAL_PER_RIAL)
    return f"{whole}.{rest:03}".rstrip("0") if rest else str(whole)


@lru_cache(maxsize=16384)
def _moment(moment: datetime, language: str) -> str:
    here = moment.astimezone(TEHRAN)
    return f"{fa_to_en(day_text(here.date(), language))} {here:%H:%M:%S}"
