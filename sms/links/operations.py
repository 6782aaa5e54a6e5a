"""Writes of links: made, changed, given to sends, followed and counted; the lists of the staff."""

import hmac
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sms.accounts.operations import record
from sms.core.actor import Actor
from sms.core.calendar import day_of
from sms.core.config import settings
from sms.core.db import array, execute, row, rows, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.links import queries
from sms.links.queries import NO_SUCH_LINK, Found
from sms.links.rules.clicks import LISTED_KINDS, PATTERN_LENGTH, AgentKind, is_too_early
from sms.links.rules.codes import KEY_BYTES, LINK_LENGTH, MOST_IDS, PATH, USE_LENGTH, Use, new_code
from sms.links.rules.domains import NOTE_LENGTH, DeniedTarget, Verdict, check_domain
from sms.links.rules.links import LinkState, NewLink, check_expiry, check_title
from sms.links.rules.targets import Sign, UnusableTarget, check_base, check_target, check_utm

_TRIES = 20
_VISITOR_BYTES = 8
MOST_AT_ONCE = 2_000  # clicks that are counted in one transaction


def add_link(*, account_id: int, wanted: NewLink, by: Actor, at: datetime) -> int:
    """Make a short address of a long one; returns the link's id. Raises UnusableTarget or Refusal."""
    target = check_target(wanted.target)
    if target.url.startswith(f"{queries.link_settings().base}{PATH}"):
        raise UnusableTarget(N_("This is a short address already."))
    if queries.judged(target, at=at).is_denied:
        raise DeniedTarget(target.host)
    values = {
        "account_id": account_id,
        "title": check_title(wanted.title),
        "target": target.url,
        "host": target.host,
        "utm": json.dumps(check_utm(wanted.utm)),
        "created_by": by.id,
        "at": at,
        "expires_at": check_expiry(wanted.expires_at, at=at),
    }
    for _ in range(_TRIES):
        made = scalar(
            """INSERT INTO links_link (account_id, code, title, target, host, utm, created_by, created_at, expires_at)
               VALUES (:account_id, :code, :title, :target, :host, CAST(:utm AS jsonb), :created_by, :at, :expires_at)
               ON CONFLICT (code) DO NOTHING RETURNING id""",
            code=_drawn(LINK_LENGTH),
            **values,
        )
        if made is not None:
            _audit("link.added", int(made), {"host": target.host}, account_id=account_id, by=by, at=at)
            return int(made)
    raise RuntimeError("no free code was found")


def _drawn(length: int) -> str:
    return new_code(length, [secrets.randbelow(2**32) for _ in range(length)])


def change_link(
    *,
    link_id: int,
    account_id: int,
    title: str,
    utm: Mapping[str, str],
    expires_at: datetime | None,
    by: Actor,
    at: datetime,
) -> None:
    """Another title, other campaign parameters, another end; where it leads never changes. Raises NotFound or
    Refusal."""
    before = row(
        "SELECT expires_at FROM links_link WHERE id = :id AND account_id = :account_id",
        id=link_id,
        account_id=account_id,
    )
    if before is None:
        raise NotFound(NO_SUCH_LINK)
    if expires_at != before.expires_at:
        check_expiry(expires_at, at=at)
    execute(
        "UPDATE links_link SET title = :title, utm = CAST(:utm AS jsonb), expires_at = :expires_at WHERE id = :id",
        id=link_id,
        title=check_title(title),
        utm=json.dumps(check_utm(utm)),
        expires_at=expires_at,
    )
    _audit("link.changed", link_id, {"expires_at": expires_at}, account_id=account_id, by=by, at=at)


def switch_link(*, link_id: int, account_id: int, state: LinkState, by: Actor, at: datetime) -> None:
    """Switch a link off, or on again; whoever follows it meanwhile is told so. Raises NotFound."""
    changed = execute(
        "UPDATE links_link SET state = :state WHERE id = :id AND account_id = :account_id",
        id=link_id,
        account_id=account_id,
        state=str(state),
    )
    if not changed:
        raise NotFound(NO_SUCH_LINK)
    _audit("link.switched", link_id, {"state": str(state)}, account_id=account_id, by=by, at=at)


@dataclass(frozen=True, slots=True)
class Given:
    """A use that was just made, and its id."""

    id: int
    use: Use


def give(*, link_id: int, account_id: int, first_id: int, count: int, begins_at: datetime, at: datetime) -> Given:
    """Give a link to a run of `count` ids, each of which then has an address of its own.

    Raises Refusal when it leads nowhere by the time it is sent, NotFound when it is not the account's.
    """
    refusal = queries.refusal_of(account_id, link_id, at=max(begins_at, at))
    if refusal is not None:
        raise refusal
    if count > MOST_IDS:
        raise Refusal(N_("A link can be sent to %(most)s recipients at once."), most=MOST_IDS)
    base, key = queries.link_settings().base, secrets.token_bytes(KEY_BYTES)
    for _ in range(_TRIES):
        code = _drawn(USE_LENGTH)
        made = scalar(
            """INSERT INTO links_use (link_id, account_id, code, base, key, first_id, count, created_at)
               VALUES (:link_id, :account_id, :code, :base, :key, :first_id, :count, :at)
               ON CONFLICT (code) DO NOTHING RETURNING id""",
            link_id=link_id,
            account_id=account_id,
            code=code,
            base=base,
            key=key,
            first_id=first_id,
            count=count,
            at=at,
        )
        if made is not None:
            return Given(int(made), Use(base, code, first_id, count, key))
    raise RuntimeError("no free code was found")


# Clicks


def click(*, found: Found, message_id: int | None, kind: AgentKind, visitor: str, at: datetime) -> None:
    """Keep that a link was followed; it is counted soon. Of the visitor's address only a keyed, shortened hash that
    changes with the day is kept."""
    day = day_of(at).isoformat()
    digest = hmac.digest(settings().secret_key.encode(), f"links:{day}:{visitor}".encode(), "sha256")
    execute(
        """WITH made AS (
               INSERT INTO links_click (link_id, use_id, message_id, at, is_bot, agent, visitor)
               VALUES (:link_id, :use_id, :message_id, :at, :is_bot, :agent, :visitor) RETURNING id)
           INSERT INTO links_uncounted (click_id) SELECT id FROM made""",
        link_id=found.link_id,
        use_id=found.use_id if message_id is not None else None,
        message_id=message_id,
        at=at,
        is_bot=kind is not AgentKind.PERSON,
        agent=str(kind),
        visitor=digest[:_VISITOR_BYTES],
    )


SentAt = Callable[[Sequence[int]], Mapping[int, datetime]]

# Each is counted once, whoever else counts at the same time.
_TAKE = """
WITH taken AS (
    DELETE FROM links_uncounted WHERE click_id IN (
        SELECT click_id FROM links_uncounted ORDER BY click_id LIMIT :most FOR UPDATE SKIP LOCKED)
    RETURNING click_id)
SELECT c.id, c.link_id, coalesce(c.use_id, 0) AS use_id, c.message_id, c.at, c.is_bot,
    date_trunc('hour', c.at, 'Asia/Tehran') AS hour_at
FROM taken JOIN links_click c ON c.id = taken.click_id ORDER BY c.id
"""

_RECIPIENTS = """
INSERT INTO links_recipient AS r (message_id, use_id, first_at, last_at, click_count)
SELECT message_id, use_id, min(at), max(at), count(*)
FROM unnest(CAST(:messages AS bigint[]), CAST(:uses AS bigint[]), CAST(:moments AS timestamptz[]))
    AS n (message_id, use_id, at)
GROUP BY message_id, use_id ORDER BY message_id
ON CONFLICT (message_id) DO UPDATE SET first_at = least(r.first_at, excluded.first_at),
    last_at = greatest(r.last_at, excluded.last_at), click_count = r.click_count + excluded.click_count
RETURNING message_id, click_count
"""

_HOURS = """
INSERT INTO links_hour AS h (link_id, use_id, hour_at, click_count, recipient_count, bot_count)
SELECT link_id, use_id, hour_at, sum(clicks), sum(recipients), sum(bots)
FROM unnest(CAST(:links AS bigint[]), CAST(:uses AS bigint[]), CAST(:hours AS timestamptz[]), CAST(:clicks AS int[]),
            CAST(:recipients AS int[]), CAST(:bots AS int[])) AS n (link_id, use_id, hour_at, clicks, recipients, bots)
GROUP BY link_id, use_id, hour_at ORDER BY link_id, use_id, hour_at
ON CONFLICT (link_id, use_id, hour_at) DO UPDATE SET click_count = h.click_count + excluded.click_count,
    recipient_count = h.recipient_count + excluded.recipient_count, bot_count = h.bot_count + excluded.bot_count
"""


def count_some(*, sent_at: SentAt, most: int = MOST_AT_ONCE) -> int:
    """Count up to `most` clicks that nobody has counted yet into their hours and recipients; returns how many.

    `sent_at` tells when the ids were sent: sooner than somebody could have read the text, nobody clicked.
    """
    found = rows(_TAKE, most=most)
    if not found:
        return 0
    within = queries.link_settings().prefetch_seconds
    sent = sent_at(sorted({each.message_id for each in found if each.message_id is not None and not each.is_bot}))
    people = [
        each
        for each in found
        if not each.is_bot
        and not is_too_early(clicked_at=each.at, sent_at=sent.get(each.message_id), within_seconds=within)
    ]
    new = _count_recipients([each for each in people if each.message_id is not None])
    by_people = {each.id for each in people}
    execute(
        _HOURS,
        links=array(each.link_id for each in found),
        uses=array(each.use_id for each in found),
        hours=[each.hour_at for each in found],
        clicks=array(int(each.id in by_people) for each in found),
        recipients=array(int(each.id in new) for each in found),
        bots=array(int(each.id not in by_people) for each in found),
    )
    return len(found)


def _count_recipients(people: Sequence[object]) -> set[int]:
    """Returns the ids of the clicks with which somebody clicked for the first time."""
    clicks: list[tuple[int, int, int, datetime]] = [
        (each.id, each.message_id, each.use_id, each.at)  # type: ignore[attr-defined]
        for each in people
    ]
    if not clicks:
        return set()
    here: dict[int, int] = {}
    first: dict[int, int] = {}
    for click_id, message_id, _, _ in clicks:
        here[message_id] = here.get(message_id, 0) + 1
        first.setdefault(message_id, click_id)
    counted = rows(
        _RECIPIENTS,
        messages=array(message_id for _, message_id, _, _ in clicks),
        uses=array(use_id for _, _, use_id, _ in clicks),
        moments=[at for *_, at in clicks],
    )
    return {first[each.message_id] for each in counted if each.click_count == here[each.message_id]}


# The staff


def set_settings(
    *, short_base: str, prefetch_seconds: int, preview_signs: Sequence[str], by: Actor, at: datetime
) -> None:
    """Change what the installation says of all links. Short addresses that were sent stay as they are. Raises
    Refusal."""
    base = check_base(short_base) if short_base.strip() else ""
    if not 0 <= prefetch_seconds <= 60:  # noqa: PLR2004 - as the table says
        raise Refusal(N_("Between 0 and 60 seconds."))
    signs = sorted({str(Sign(sign)) for sign in preview_signs})
    execute(
        "UPDATE links_setting SET short_base = :base, prefetch_seconds = :seconds, preview_signs = :signs",
        base=base,
        seconds=prefetch_seconds,
        signs=signs,
    )
    _audit("links.settings", None, {"short_base": base, "signs": signs}, account_id=None, by=by, at=at)


def list_domain(*, domain: str, verdict: Verdict, note: str, by: Actor, at: datetime) -> int:
    """Say something of a domain and all below it; what was said of it before ends. Returns the row's id. Raises
    UnusableTarget or Refusal."""
    name = check_domain(domain)
    if len(note) > NOTE_LENGTH:
        raise Refusal(N_("A note has at most %(most)s characters."), most=NOTE_LENGTH)
    rows("SELECT pg_advisory_xact_lock(hashtextextended('links_domain:' || :name, 0))", name=name)
    execute("UPDATE links_domain SET ended_at = :at WHERE domain = :name AND ended_at IS NULL", name=name, at=at)
    made = scalar(
        "INSERT INTO links_domain (domain, verdict, note, created_by, created_at)"
        " VALUES (:name, :verdict, :note, :by, :at) RETURNING id",
        name=name,
        verdict=str(verdict),
        note=note.strip(),
        by=by.id,
        at=at,
    )
    _audit("links.domain", None, {"domain": name, "verdict": str(verdict)}, account_id=None, by=by, at=at)
    return int(made)


def end_domain(*, domain_id: int, by: Actor, at: datetime) -> None:
    """Say nothing of a domain any more; the row stays. Raises NotFound when there is none that holds."""
    ended = row(
        "UPDATE links_domain SET ended_at = :at WHERE id = :id AND ended_at IS NULL RETURNING domain",
        id=domain_id,
        at=at,
    )
    if ended is None:
        raise NotFound(N_("There is no such row."))
    _audit("links.domain_ended", None, {"domain": ended.domain}, account_id=None, by=by, at=at)


def add_agent(*, pattern: str, kind: AgentKind, by: Actor, at: datetime) -> None:
    """Know a program by a piece of the name it gives. Raises Refusal."""
    piece = " ".join(pattern.lower().split())
    if not 3 <= len(piece) <= PATTERN_LENGTH or kind not in LISTED_KINDS:  # noqa: PLR2004 - less is in every name
        raise Refusal(N_("A piece of a name has 3 to %(most)s characters."), most=PATTERN_LENGTH)
    execute(
        "INSERT INTO links_agent (pattern, kind, created_by, created_at) VALUES (:pattern, :kind, :by, :at)"
        " ON CONFLICT (pattern) DO UPDATE SET kind = excluded.kind",
        pattern=piece,
        kind=str(kind),
        by=by.id,
        at=at,
    )
    _audit("links.agent", None, {"pattern": piece, "kind": str(kind)}, account_id=None, by=by, at=at)


def remove_agent(*, agent_id: int, by: Actor, at: datetime) -> None:
    """Take a program off the list; what it did before stays counted as it was. Raises NotFound."""
    gone = row("DELETE FROM links_agent WHERE id = :id RETURNING pattern", id=agent_id)
    if gone is None:
        raise NotFound(N_("There is no such row."))
    _audit("links.agent_removed", None, {"pattern": gone.pattern}, account_id=None, by=by, at=at)


def _audit(
    action: str, link_id: int | None, details: Mapping[str, object], *, account_id: int | None, by: Actor, at: datetime
) -> None:
    record(
        actor_id=by.id,
        account_id=account_id,
        action=action,
        subject=f"link:{link_id}" if link_id is not None else "",
        details=details,
        at=at,
        address=by.address,
    )
