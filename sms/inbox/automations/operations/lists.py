"""Codes of a code reader are read in, and winners are drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sms.accounts.operations import record
from sms.core.actor import Actor
from sms.core.db import copy_in, copy_text, execute, scalar
from sms.core.errors import Refusal
from sms.core.sheets.table import Row
from sms.core.text import N_
from sms.inbox.automations.queries.automations import automation
from sms.inbox.automations.queries.results import DRAWN, entries
from sms.inbox.automations.rules.drawing import MOST_WINNERS, SEED_LENGTH, Entry, draw, fingerprint
from sms.inbox.automations.rules.kinds import REPLY_LENGTH, Automation, Kind, code_of
from sms.inbox.automations.rules.matching import compact, words_of

_HEADERS = frozenset({"code", "codes", "کد", "کدها", "شمارهسریال", "سریال"})
_COPIED = 1_000


@dataclass(frozen=True, slots=True)
class CodesRead:
    """How many rows of a list are new codes, are there already or twice, and hold none."""

    new: int
    known: int
    unusable: int


def import_codes(*, account_id: int, automation_id: int, table: Iterable[Row], by: Actor, at: datetime) -> CodesRead:
    """Read codes in: the first column is the code, the second, if any, its own reply. What is there stays.
    Raises NotFound, Refusal, or UnreadableList while the table is read."""
    found = automation(account_id, automation_id)
    if found.kind is not Kind.CODES:
        raise Refusal(N_("Only a code reader has codes."))
    codes: dict[str, tuple[str, str]] = {}
    row_count = unusable = 0
    for number, cells in table:
        given = cells[0].strip() if cells else ""
        if number == 1 and compact(given) in _HEADERS:
            continue
        row_count += 1
        code = code_of(words_of(given))
        if not code:
            unusable += 1
            continue
        codes.setdefault(code, (given[:200], cells[1].strip()[:REPLY_LENGTH] if len(cells) > 1 else ""))
    new = _copied(automation_id, codes)
    record(
        actor_id=by.id,
        account_id=account_id,
        action="automation.codes_imported",
        subject=f"automation:{automation_id}",
        details={"new": new, "rows": row_count},
        at=at,
        address=by.address,
    )
    return CodesRead(new, row_count - unusable - new, unusable)


def _copied(automation_id: int, codes: dict[str, tuple[str, str]]) -> int:
    if not codes:
        return 0
    execute("CREATE TEMPORARY TABLE inbox_code_read (code text, given text, reply text) ON COMMIT DROP")
    lines = [f"{copy_text(code)}\t{copy_text(given)}\t{copy_text(reply)}\n" for code, (given, reply) in codes.items()]
    chunks = ("".join(lines[place : place + _COPIED]) for place in range(0, len(lines), _COPIED))
    copy_in("inbox_code_read", ("code", "given", "reply"), chunks)
    count = execute(
        """INSERT INTO inbox_code (automation_id, code, given, reply)
           SELECT :id, code, given, reply FROM inbox_code_read
           ON CONFLICT (automation_id, code) DO NOTHING""",
        id=automation_id,
    )
    execute("DROP TABLE inbox_code_read")
    return count


def remove_unused(*, account_id: int, automation_id: int, by: Actor, at: datetime) -> int:
    """Throw away the codes nobody has used; returns how many. Raises NotFound."""
    automation(account_id, automation_id)
    count = execute("DELETE FROM inbox_code WHERE automation_id = :id AND used_text_id IS NULL", id=automation_id)
    record(
        actor_id=by.id,
        account_id=account_id,
        action="automation.codes_removed",
        subject=f"automation:{automation_id}",
        details={"count": count},
        at=at,
        address=by.address,
    )
    return count


def draw_winners(*, account_id: int, automation_id: int, seed: str, count: int, by: Actor, at: datetime) -> int:
    """Draw winners among those who take part until now; returns the draw's id, the same one for the same seed, number
    and entries. Draws are kept for good. Raises NotFound or Refusal."""
    found = automation(account_id, automation_id)
    seed = " ".join(seed.split())
    if found.kind not in DRAWN:
        raise Refusal(N_("There is nothing to be drawn here."))
    if not seed or len(seed) > SEED_LENGTH:
        raise Refusal(N_("Write a seed: any words or digits, best some that nobody could choose."))
    if not 1 <= count <= MOST_WINNERS:
        raise Refusal(N_("Draw one to %(most)s winners."), most=MOST_WINNERS)
    taking_part = entries(found)
    if not taking_part:
        raise Refusal(N_("Nobody takes part yet."))
    again = scalar(
        """SELECT max(id) FROM inbox_draw
           WHERE automation_id = :id AND seed = :seed AND wanted = :count AND fingerprint = :mark""",
        id=automation_id,
        seed=seed,
        count=count,
        mark=fingerprint(taking_part),
    )
    if again is not None:
        return int(again)
    made = _drawn(found, taking_part, seed=seed, count=count, by=by, at=at)
    record(
        actor_id=by.id,
        account_id=account_id,
        action="automation.drawn",
        subject=f"automation:{automation_id}",
        details={"draw": made},
        at=at,
        address=by.address,
    )
    return made


def _drawn(found: Automation, taking_part: Sequence[Entry], *, seed: str, count: int, by: Actor, at: datetime) -> int:
    made = scalar(
        """INSERT INTO inbox_draw (automation_id, account_id, seed, wanted, last_text_id, entry_count, fingerprint,
               drawn_by, drawn_at)
           VALUES (:id, :account_id, :seed, :count, :last, :entries, :mark, :by, :at) RETURNING id""",
        id=found.id,
        account_id=found.account_id,
        seed=seed,
        count=count,
        last=max(entry.text_id for entry in taking_part),
        entries=len(taking_part),
        mark=fingerprint(taking_part),
        by=by.id,
        at=at,
    )
    winners = draw(taking_part, seed=seed, count=count)
    execute(
        """INSERT INTO inbox_draw_winner (draw_id, place, text_id, sender)
           SELECT :draw_id, n.* FROM
               unnest(CAST(:places AS int[]), CAST(:texts AS bigint[]), CAST(:senders AS text[])) AS n""",
        draw_id=made,
        places=[each.place for each in winners],
        texts=[each.text_id for each in winners],
        senders=[each.sender for each in winners],
    )
    return int(made)
