"""What must have become of every recipient and every rial, worked out from what the simulated operators took, the
tariffs and the refund rules. Plain Python: it asks neither the ledger nor the outbox."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sms.dashboard.rules import OPERATORS

TEXTS = (
    "جشنوارهٔ پاییزی فروشگاه نمونه آغاز شد. لغو۱۱",
    "سلام. سفارش شما آماده است و فردا به دست شما می‌رسد. برای پیگیری با شمارهٔ پشتیبانی تماس بگیرید. لغو۱۱",
    "Your parcel has arrived. Please pick it up today before 8 pm. Reply 11 to stop.",
)
DEDUPES = frozenset({"5000"})
LOOKS_UP = frozenset({"2000", "3000"})
_CANNOT_SAY = frozenset({("5000", "not_in_network")})  # Kavenegar's statuses know only "undelivered"
_PREFIXES = ("912", "935", "921", "990")
_MCI = ("912", "990")  # its tariff is the cheaper one
_A_HUNDRED = 100
_SHEETS = {operator.code: operator for operator in OPERATORS}


def recipients(first: int, count: int) -> Iterator[int]:
    """Mobile numbers, no two alike over a whole run, every pair of last digits as often as any other."""
    for number in range(first, first + count):
        block, digits = divmod(number, _A_HUNDRED)
        prefix = _PREFIXES[block % len(_PREFIXES)]
        yield int(f"98{prefix}{block // len(_PREFIXES):05}{digits:02}")


def parts_of(text: str) -> int:
    """How many SMS a text is: 160 and 153 letters of the Latin alphabet, 70 and 67 of any other."""
    whole, joined = (160, 153) if text.isascii() else (70, 67)
    units = len(text.encode("utf-16-le")) // 2
    return 1 if units <= whole else -(-units // joined)


def fate_of(code: str, recipient: int) -> str:
    """What a recipient's last two digits ask of a simulated operator, as far as it can tell."""
    fate = _fate(recipient % _A_HUNDRED)
    return "undelivered" if (code, fate) in _CANNOT_SAY else fate


def _fate(digits: int) -> str:
    if digits in range(90, 94):
        return "blocked"
    return {94: "not_in_network", 95: "not_in_network", 96: "undelivered", 97: "refused", 98: "expired"}.get(
        digits, "delivered"
    )


def price_of(code: str, recipient: int, text: str) -> tuple[int, int]:
    """(price, our cost) of a text to a recipient over an operator's line, in milli-rial."""
    language = "latin" if text.isascii() else "persian"
    is_mci = str(recipient)[2:5] in _MCI
    price, cost = next(
        (price, cost)
        for spoken, is_only_mci, price, cost in _SHEETS[code].prices()
        if (spoken, is_only_mci) == (language, is_mci)
    )
    return price * parts_of(text), cost * parts_of(text)


def is_refunded(code: str, fate: str) -> bool:
    """Whether the whole price comes back in the end."""
    return fate == "blocked" or (fate == "not_in_network" and _SHEETS[code].refunds_not_in_network)


@dataclass(frozen=True, slots=True)
class Sent:
    """One campaign as it was asked for."""

    campaign_id: int
    username: str
    code: str
    text: str
    first: int
    count: int
    elsewhere: Sequence[str] = ()  # operators it may go on over
    is_cancelled: bool = False

    def numbers(self) -> Iterator[int]:
        """To whom."""
        return recipients(self.first, self.count)


@dataclass(slots=True)
class Truth:
    """What one operator took."""

    times: Counter[int] = field(default_factory=Counter)  # by recipient
    uids: Counter[int] = field(default_factory=Counter)  # by our id, where it was given
    refs: dict[int, str] = field(default_factory=dict)  # the operator's id of the first acceptance, by recipient
    halves: set[int] = field(default_factory=set)  # recipients of texts whose parts did not all arrive


def truth_of(folder: Path, code: str) -> Truth:
    """Read an operator's own log."""
    truth = Truth()
    missing: dict[int, int] = {}
    holders: dict[int, int] = {}
    for line in (folder / f"truth-{code}.jsonl").read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        if "joins" in told:
            missing[told["joins"]] -= 1
            continue
        recipient = told["to"]
        truth.times[recipient] += 1
        truth.refs.setdefault(recipient, str(told["id"]))
        if told["uid"]:
            truth.uids[told["uid"]] += 1
        missing[told["id"]] = told.get("of", told["parts"]) - told["parts"]
        holders[told["id"]] = recipient
    truth.halves = {holders[message_id] for message_id, count in missing.items() if count > 0}
    return truth


@dataclass(slots=True)
class Kept:
    """What the panel says of one recipient."""

    campaign_id: int
    outcome: str | None
    is_submitted: bool
    is_unknown: bool


@dataclass(slots=True)
class Account:
    """Whose money is where, in milli-rial."""

    customers: Counter[str] = field(default_factory=Counter)  # what was spent, by user name
    escrow: int = 0
    revenue: Counter[str] = field(default_factory=Counter)  # by operator
    cost: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Judgement:
    """The comparison of all three."""

    account: Account = field(default_factory=Account)
    lost: list[int] = field(default_factory=list)
    duplicates: dict[str, int] = field(default_factory=dict)  # by operator: recipients that got it more than once
    at_two: list[int] = field(default_factory=list)
    unknown_left: Counter[str] = field(default_factory=Counter)
    unknown_taken: Counter[str] = field(default_factory=Counter)  # of these, the operator has
    cancelled: int = 0
    halves: int = 0  # charged, and the operator has only some of their parts
    wrong: list[str] = field(default_factory=list)


def judge(sent: Iterable[Sent], truths: Mapping[str, Truth], kept: Mapping[int, Kept]) -> Judgement:
    """Hold what operators took against what the panel says, recipient by recipient, and add the money up."""
    judgement = Judgement()
    for code, truth in truths.items():
        again = sum(1 for times in truth.times.values() if times > 1)
        again += sum(1 for times in truth.uids.values() if times > 1)
        judgement.duplicates[code] = again
    expected = 0
    for campaign in sent:
        for recipient in campaign.numbers():
            expected += 1
            _judge_one(judgement, campaign, recipient, truths, kept.get(recipient))
    if len(kept) != expected:
        judgement.wrong.append(f"{len(kept)} recipients are kept, {expected} were asked for")
    strangers = {to for truth in truths.values() for to in truth.times} - kept.keys()
    if strangers:
        judgement.wrong.append(f"operators took {len(strangers)} recipients nobody asked for")
    return judgement


def _judge_one(
    judgement: Judgement, campaign: Sent, recipient: int, truths: Mapping[str, Truth], kept: Kept | None
) -> None:
    takers = [code for code in (campaign.code, *campaign.elsewhere) if recipient in truths[code].times]
    wrong_takers = [code for code in truths if recipient in truths[code].times and code not in takers]
    if len(takers) + len(wrong_takers) > 1:
        judgement.at_two.append(recipient)
    if kept is None or kept.campaign_id != campaign.campaign_id:
        judgement.lost.append(recipient)
        return
    name = _name(campaign, recipient)
    code = takers[0] if takers else campaign.code
    price, cost = price_of(code, recipient, campaign.text)
    fate = fate_of(code, recipient)
    if kept.is_unknown:
        judgement.unknown_left[code] += 1
        judgement.unknown_taken[code] += bool(takers)
        judgement.account.customers[campaign.username] += price
        judgement.account.escrow += price
        if code in DEDUPES or code in LOOKS_UP:
            judgement.wrong.append(f"{name}: of unknown fate at {code}, which can be asked")
        return
    if not takers:
        _judge_refused(judgement, campaign, recipient, fate, kept)
        return
    if not kept.is_submitted:
        judgement.wrong.append(f"{name}: {code} has it, the panel says {kept.outcome}")
        return
    if recipient in truths[code].halves:
        judgement.halves += 1  # its other parts never came: the operator tells of one, or nothing
        fate = kept.outcome if kept.outcome in {"delivered", "expired"} else fate
    if kept.outcome != fate:
        judgement.wrong.append(f"{name}: {fate} at {code}, the panel says {kept.outcome}")
    if not is_refunded(code, fate):
        judgement.account.customers[campaign.username] += price
        judgement.account.revenue[code] += price - cost
        judgement.account.cost[code] += cost


def _name(campaign: Sent, recipient: int) -> str:
    return f"campaign {campaign.campaign_id}, message of row {recipient % 10**7}"


def _judge_refused(judgement: Judgement, campaign: Sent, recipient: int, fate: str, kept: Kept) -> None:
    name = _name(campaign, recipient)
    if kept.is_submitted:
        judgement.wrong.append(f"{name}: charged, and no operator has it")
    elif kept.outcome == "cancelled" and campaign.is_cancelled:
        judgement.cancelled += 1
    elif fate != "refused":
        judgement.lost.append(recipient)
    elif kept.outcome != "refused":
        judgement.wrong.append(f"{name}: refused, the panel says {kept.outcome}")


def money_differences(model: Account, ledger: Account) -> list[str]:
    """Where the ledger has other sums than the model."""
    found = []
    if model.escrow != ledger.escrow:
        found.append(f"escrow: {ledger.escrow} mrial in the ledger, {model.escrow} by the model")
    for kind in ("customers", "revenue", "cost"):
        mine, theirs = getattr(model, kind), getattr(ledger, kind)
        names = sorted(set(mine) | set(theirs))
        found += [
            f"{kind} {name}: {theirs[name]} mrial in the ledger, {mine[name]} by the model"
            for name in names
            if mine[name] != theirs[name]
        ]
    return found
