"""Reads of links: those of an account, what stands behind an address, clicks over time, the lists of the staff."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.config import settings
from sms.core.db import row, rows
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.links.rules.clicks import Agent, Clicks, Hour, over_time
from sms.links.rules.codes import PATH, Use
from sms.links.rules.domains import Judged, Listed, judge, suffixes
from sms.links.rules.links import Standing, standing
from sms.links.rules.targets import Target

NO_SUCH_LINK = N_("There is no such link.")


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """What the installation says of all links; `base` is where short addresses begin."""

    short_base: str
    prefetch_seconds: int
    preview_signs: frozenset[str]

    @property
    def base(self) -> str:
        """The short domain, or the panel's own address."""
        return self.short_base or settings().public_url


def link_settings() -> LinkSettings:
    """The row of settings as it stands now."""
    (found,) = rows("SELECT short_base, prefetch_seconds, preview_signs FROM links_setting")
    return LinkSettings(found.short_base, found.prefetch_seconds, frozenset(found.preview_signs))


def judged(target: Target, *, at: datetime) -> Judged:
    """What the lists of the staff, and its looks, say of a target at a moment."""
    listed = [Listed(**each._mapping) for each in _listed(suffixes(target.host))]
    return judge(target, listed, minded=link_settings().preview_signs, at=at)


def _listed(domains: Sequence[str]) -> Sequence[Row[Any]]:
    return rows("SELECT domain, verdict, ended_at FROM links_domain WHERE domain = ANY(:domains)", domains=domains)


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link of an account as pages show it."""

    id: int
    account_id: int
    code: str
    title: str
    target: str
    host: str
    utm: Mapping[str, str]
    state: str
    created_at: datetime
    expires_at: datetime | None
    click_count: int
    recipient_count: int
    bot_count: int
    standing: Standing
    address: str

    @property
    def name(self) -> str:
        """What a list of choices calls it."""
        return self.title or self.target.split("://", 1)[1][:60]


_VIEW = """
SELECT l.id, l.account_id, l.code, l.title, l.target, l.host, l.utm, l.state, l.created_at, l.expires_at,
       h.click_count, h.recipient_count, h.bot_count
FROM links_link l CROSS JOIN LATERAL (
    SELECT coalesce(sum(click_count), 0)::bigint AS click_count,
           coalesce(sum(recipient_count), 0)::bigint AS recipient_count,
           coalesce(sum(bot_count), 0)::bigint AS bot_count
    FROM links_hour WHERE link_id = l.id
) h
"""


def links(account_id: int, *, at: datetime, before: int | None = None, most: int = 26) -> list[LinkView]:
    """A page of an account's links, newest first, below the id `before`."""
    found = rows(
        _VIEW + "WHERE l.account_id = :account_id AND (CAST(:before AS bigint) IS NULL OR l.id < :before)"
        " ORDER BY l.id DESC LIMIT :most",
        account_id=account_id,
        before=before,
        most=most,
    )
    return _views(found, at=at)


def link(account_id: int, link_id: int, *, at: datetime) -> LinkView:
    """One link of an account; raises NotFound, also for somebody else's."""
    found = rows(_VIEW + "WHERE l.id = :id AND l.account_id = :account_id", id=link_id, account_id=account_id)
    if not found:
        raise NotFound(NO_SUCH_LINK)
    return _views(found, at=at)[0]


def link_by_code(account_id: int, code: str, *, at: datetime) -> LinkView:
    """One link of an account by its code; raises NotFound."""
    found = rows(_VIEW + "WHERE l.code = :code AND l.account_id = :account_id", code=code, account_id=account_id)
    if not found:
        raise NotFound(NO_SUCH_LINK)
    return _views(found, at=at)[0]


def newest_links(*, most: int = 25, host: str = "", at: datetime) -> list[tuple[LinkView, str]]:
    """The newest links of all accounts, with the account's name, for the staff; of one host and those below it, when
    one is named."""
    found = rows(
        _VIEW + "WHERE :host = '' OR l.host = :host OR right(l.host, length(:host) + 1) = '.' || :host"
        " ORDER BY l.id DESC LIMIT :most",
        host=host,
        most=most,
    )
    names = {
        each.id: each.name
        for each in rows(
            "SELECT id, name FROM accounts_account WHERE id = ANY(:ids)", ids=list({each.account_id for each in found})
        )
    }
    return [(view, names[view.account_id]) for view in _views(found, at=at)]


def _views(found: Sequence[Row[Any]], *, at: datetime) -> list[LinkView]:
    base = link_settings().base
    denied = _denied({each.host for each in found}, at=at)
    return [
        LinkView(
            **each._mapping,
            standing=standing(state=each.state, expires_at=each.expires_at, is_denied=each.host in denied, at=at),
            address=f"{base}{PATH}{each.code}",
        )
        for each in found
    ]


def _denied(hosts: Collection[str], *, at: datetime) -> set[str]:
    """Which of these hosts no link may lead to."""
    every = {domain for host in hosts for domain in suffixes(host)}
    listed = [Listed(**each._mapping) for each in _listed(sorted(every))]
    return {
        host
        for host in hosts
        if judge(
            Target(f"https://{host}/", host),
            [each for each in listed if each.domain in suffixes(host)],
            minded=(),
            at=at,
        ).is_denied
    }


def refusal_of(account_id: int, link_id: int, *, at: datetime) -> Refusal | None:
    """Why a link cannot be sent at a moment; None when it can."""
    found = link(account_id, link_id, at=at)
    if found.standing is Standing.ACTIVE:
        return None
    return Refusal(
        {
            Standing.DENIED: N_("The link leads to %(host)s, which the staff have blocked."),
            Standing.OFF: N_("The link to %(host)s is switched off."),
            Standing.EXPIRED: N_("The link to %(host)s is expired by then."),
        }[found.standing],
        host=found.host,
    )


# Behind an address


@dataclass(frozen=True, slots=True)
class Found:
    """What stands behind a code; of a use, with what its addresses are made of."""

    link_id: int
    target: Target
    utm: Mapping[str, str]
    state: str
    expires_at: datetime | None
    use_id: int | None = None
    use: Use | None = None


_FOLLOW = "SELECT l.id AS link_id, l.target, l.host, l.utm, l.state, l.expires_at"


def by_link_code(code: str) -> Found | None:
    """A link by its own code."""
    found = row(f"{_FOLLOW} FROM links_link l WHERE l.code = :code", code=code)
    return _found(found) if found is not None else None


def by_use_code(code: str) -> Found | None:
    """A use of a link by its code."""
    found = row(
        f"{_FOLLOW}, u.id AS use_id, u.base, u.code, u.key, u.first_id, u.count"
        " FROM links_use u JOIN links_link l ON l.id = u.link_id WHERE u.code = :code",
        code=code,
    )
    return _found(found, use_of(found), found.use_id) if found is not None else None


def _found(found: Row[Any], use: Use | None = None, use_id: int | None = None) -> Found:
    target = Target(found.target, found.host)
    return Found(found.link_id, target, found.utm, found.state, found.expires_at, use_id, use)


def use_of(found: Any) -> Use:
    """The use that a row with its columns tells."""
    return Use(found.base, found.code, found.first_id, found.count, bytes(found.key))


def use(use_id: int) -> Use:
    """A use by its id."""
    (found,) = rows("SELECT base, code, first_id, count, key FROM links_use WHERE id = :id", id=use_id)
    return use_of(found)


def agents() -> list[Agent]:
    """The programs that are known by a piece of their name."""
    return [Agent(each.pattern, each.kind) for each in rows("SELECT pattern, kind FROM links_agent ORDER BY id")]


# Clicks


def clicks_of_use(use_id: int) -> Clicks:
    """Clicks of the addresses that a send carried."""
    found = rows(
        "SELECT hour_at, click_count, recipient_count, bot_count FROM links_hour WHERE use_id = :id ORDER BY hour_at",
        id=use_id,
    )
    return over_time([Hour(**each._mapping) for each in found])


def clicks_of_link(link_id: int) -> Clicks:
    """Clicks of a link over all its addresses."""
    found = rows(
        """SELECT hour_at, sum(click_count)::bigint AS click_count, sum(recipient_count)::bigint AS recipient_count,
                  sum(bot_count)::bigint AS bot_count
           FROM links_hour WHERE link_id = :id GROUP BY hour_at ORDER BY hour_at""",
        id=link_id,
    )
    return over_time([Hour(**each._mapping) for each in found])


def clicks_of_message(message_id: int, *, most: int = 50) -> Sequence[Row[Any]]:
    """Every time somebody or something followed the address of one id, the first ones."""
    return rows(
        "SELECT at, agent, is_bot FROM links_click WHERE message_id = :id ORDER BY id LIMIT :most",
        id=message_id,
        most=most,
    )


def first_clicks(*, low: int, high: int) -> Mapping[int, tuple[datetime, int]]:
    """When each id of a range first followed its address, and how often it did."""
    found = rows(
        "SELECT message_id, first_at, click_count FROM links_recipient WHERE message_id BETWEEN :low AND :high",
        low=low,
        high=high,
    )
    return {each.message_id: (each.first_at, each.click_count) for each in found}


# For the staff


def domains(*, before: int | None = None, most: int = 51) -> Sequence[Row[Any]]:
    """What was ever said of domains, what holds first, then the newest; below the id `before` only the rest."""
    return rows(
        """SELECT d.id, d.domain, d.verdict, d.note, d.created_at, d.ended_at, u.username AS author
           FROM links_domain d LEFT JOIN accounts_user u ON u.id = d.created_by
           WHERE CAST(:before AS int) IS NULL OR d.id < :before ORDER BY d.id DESC LIMIT :most""",
        before=before,
        most=most,
    )


def listed_agents() -> Sequence[Row[Any]]:
    """The programs that are known, by kind."""
    return rows("SELECT id, pattern, kind FROM links_agent ORDER BY kind, pattern")
