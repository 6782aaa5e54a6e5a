"""Reads of lines: what an account may send from, and what staff look after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.lines.links.rules import LinkPolicy, LinkRefused, link_refusal
from sms.lines.public.rules import PublicLineRefused, Standing, paid_refusal
from sms.lines.rules import LineKind, ServiceClass, Window, check_window
from sms.lines.suffix.rules import ending_of
from sms.operators.queries import batch_size_of

NO_SUCH_LINE = N_("There is no such line.")


@dataclass(frozen=True, slots=True)
class UsableLine:
    """A line an account may send from now; `batch_size` is how many recipients its gateway takes at once, and no more
    than the line may send in a second. Of a public line `policy` says what it may be used for."""

    id: int
    number: str
    operator_id: int
    operator_code: str
    operator_name_fa: str
    operator_name_en: str
    colour: str
    gateway_id: int
    batch_size: int
    joined_units: int
    kind: str
    alias: str
    service_class: str
    opens_at: time | None
    closes_at: time | None
    per_second: int | None
    policy: str = ""
    policy_at: datetime | None = None
    free_messages: int = 0
    used_count: int = 0
    links: str = LinkPolicy.ALLOWED
    may_link: bool = False
    suffix: str = ""  # what every text must end with

    def ending_of(self, body: str) -> str:
        """What is put behind a text that goes over it, the line break with it; empty where nothing is."""
        return ending_of(body, self.suffix)

    def text_of(self, body: str) -> str:
        """A text as it goes over it."""
        return body + self.ending_of(body)

    @property
    def window(self) -> Window | None:
        """Its hours; None when it is always open."""
        return check_window(self.opens_at, self.closes_at)

    @property
    def standing(self) -> Standing | None:
        """What holds on a public line, with the free messages that are left; None of a dedicated one."""
        if self.kind != LineKind.PUBLIC:
            return None
        return Standing(self.operator_code, self.policy, self.policy_at, self.free_messages, self.used_count)

    @property
    def paid_refusal(self) -> PublicLineRefused | None:
        """Why what is paid for cannot go over it; None when it can."""
        return paid_refusal(self.standing) if self.standing is not None else None

    def link_refusal(self, body: str) -> LinkRefused | None:
        """Why a text cannot go over it because of an address in it; None when it can."""
        return link_refusal(body, number=self.number, policy=self.links, is_permitted=self.may_link)

    def is_held(self, at: datetime, *, is_single: bool) -> bool:
        """Whether a send would wait at a moment because the line is closed; a single text of a service line never
        does."""
        if self.window is None or (is_single and self.service_class == ServiceClass.SERVICE):
            return False
        return not self.window.is_open(at)


# Own lines first, those of a parent account that are shared with it among them, then the public ones.
_USABLE = """
SELECT l.id, l.number, o.id AS operator_id, o.code AS operator_code, o.name_fa AS operator_name_fa,
       o.name_en AS operator_name_en, l.gateway_id, g.batch_size, g.adapter, l.joined_units, l.kind,
       coalesce(s.alias, l.alias) AS alias, coalesce(nullif(coalesce(s.colour, l.colour), ''), o.colour) AS colour,
       l.service_class, l.opens_at, l.closes_at, l.per_second, coalesce(p.policy, '') AS policy,
       p.valid_from AS policy_at, coalesce(p.free_messages, 0) AS free_messages,
       coalesce(t.used_count, 0) AS used_count, l.links, l.links = 'permission' AND EXISTS (
           SELECT FROM lines_link_permission k
           WHERE k.account_id = :account_id AND (k.line_id = l.id OR k.line_id IS NULL) AND k.ended_at IS NULL
             AND (k.expires_at IS NULL OR k.expires_at > coalesce(CAST(:at AS timestamptz), now()))) AS may_link,
       CASE WHEN coalesce(l.demands_suffix, f.is_demanded) THEN coalesce(f.suffix, 'لغو11') ELSE '' END AS suffix
FROM lines_line l JOIN operators_operator o ON o.id = l.operator_id JOIN operators_gateway g ON g.id = l.gateway_id
LEFT JOIN lines_suffix f ON f.operator_id = l.operator_id
LEFT JOIN lines_share s ON s.line_id = l.id AND s.account_id = :account_id
LEFT JOIN lines_public_policies(coalesce(CAST(:at AS timestamptz), now())) p
    ON l.kind = 'public' AND p.operator_id = l.operator_id
LEFT JOIN lines_trial t ON l.kind = 'public' AND t.operator_id = l.operator_id AND t.account_id = :account_id
WHERE l.is_active AND l.suspended_at IS NULL
    AND (l.account_id = :account_id OR l.kind = 'public' OR s.line_id IS NOT NULL)
"""


def usable_lines(account_id: int, *, at: datetime | None = None) -> list[UsableLine]:
    """The lines an account may send from: its own dedicated ones and those shared with it first, then the public ones,
    each by number. Public lines are among them whatever their policy is `at` this moment (None: the database's)."""
    found = rows(_USABLE + "ORDER BY l.kind = 'public', o.code, l.number", account_id=account_id, at=at)
    return [_usable(line) for line in found]


def usable_line(account_id: int, line_id: int, *, at: datetime | None = None) -> UsableLine | None:
    """One of them; None when it is switched off, not there or somebody else's."""
    found = row(_USABLE + "AND l.id = :line_id", account_id=account_id, line_id=line_id, at=at)
    return _usable(found) if found else None


def usable_line_by_number(account_id: int, number: str, *, at: datetime | None = None) -> UsableLine | None:
    """One of them by its digits; None when it is switched off, not there or somebody else's."""
    found = row(_USABLE + "AND l.number = :number", account_id=account_id, number=number, at=at)
    return _usable(found) if found else None


def _usable(found: Row[Any]) -> UsableLine:
    facts = dict(found._mapping)
    most = batch_size_of(facts.pop("adapter"), facts["batch_size"])
    facts["batch_size"] = most if found.per_second is None else min(most, found.per_second)
    return UsableLine(**facts)


@dataclass(frozen=True, slots=True)
class LineView:
    """A line as pages show it."""

    id: int
    number: str
    kind: str
    service_class: str
    alias: str
    is_active: bool
    joined_units: int
    opens_at: time | None
    closes_at: time | None
    per_second: int | None
    links: str
    demands_suffix: bool | None
    created_at: datetime
    account_id: int | None
    account_name: str | None
    operator_id: int
    operator_code: str
    operator_name_fa: str
    operator_name_en: str
    colour: str
    gateway_id: int
    gateway_name: str

    @property
    def window(self) -> Window | None:
        """Its hours; None when it is always open."""
        return check_window(self.opens_at, self.closes_at)


_VIEW = """
SELECT l.id, l.number, l.kind, l.service_class, l.alias, l.is_active, l.joined_units, l.opens_at,
       l.closes_at, l.per_second, l.links, l.demands_suffix, l.created_at, l.account_id,
       a.name AS account_name, o.id AS operator_id, o.code AS operator_code, o.name_fa AS operator_name_fa,
       o.name_en AS operator_name_en, o.colour, g.id AS gateway_id, g.name AS gateway_name
FROM lines_line l JOIN operators_operator o ON o.id = l.operator_id JOIN operators_gateway g ON g.id = l.gateway_id
LEFT JOIN accounts_account a ON a.id = l.account_id
"""


def account_lines(account_id: int) -> list[LineView]:
    """All dedicated lines of an account, also those switched off, by operator and number."""
    return [
        LineView(**found._mapping)
        for found in rows(_VIEW + "WHERE l.account_id = :id ORDER BY o.code, l.number", id=account_id)
    ]


def public_lines() -> list[LineView]:
    """The public lines that are on, by operator and number."""
    found = rows(_VIEW + "WHERE l.kind = 'public' AND l.is_active ORDER BY o.code, l.number")
    return [LineView(**line._mapping) for line in found]


def account_line(account_id: int, line_id: int) -> LineView:
    """One dedicated line of an account; raises NotFound, also for somebody else's."""
    found = row(_VIEW + "WHERE l.id = :line_id AND l.account_id = :account_id", line_id=line_id, account_id=account_id)
    if found is None:
        raise NotFound(NO_SUCH_LINE)
    return LineView(**found._mapping)


def line(line_id: int) -> LineView:
    """Any line, for staff; raises NotFound."""
    found = row(_VIEW + "WHERE l.id = :id", id=line_id)
    if found is None:
        raise NotFound(NO_SUCH_LINE)
    return LineView(**found._mapping)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFilter:
    """What the staff's list is narrowed to; `number` is its beginning, `owner` is "free" or "taken"."""

    operator_id: int | None = None
    kind: str = ""
    owner: str = ""
    is_active: bool | None = None
    number: str = ""


_FILTERED = """
WHERE (CAST(:before AS int) IS NULL OR l.id < :before)
  AND (CAST(:operator_id AS int) IS NULL OR l.operator_id = :operator_id)
  AND (:kind = '' OR l.kind = :kind)
  AND (:owner = '' OR (l.kind = 'dedicated' AND (l.account_id IS NULL) = (:owner = 'free')))
  AND (CAST(:is_active AS boolean) IS NULL OR l.is_active = :is_active)
  AND starts_with(l.number, :number)
ORDER BY l.id DESC LIMIT :most
"""


def lines_page(wanted: LineFilter, *, before: int | None, most: int) -> list[LineView]:
    """The newest lines that fit, older than line `before`."""
    found = rows(
        _VIEW + _FILTERED,
        before=before,
        operator_id=wanted.operator_id,
        kind=wanted.kind,
        owner=wanted.owner,
        is_active=wanted.is_active,
        number=wanted.number,
        most=most,
    )
    return [LineView(**line._mapping) for line in found]


def gateways_of(operator_id: int) -> Sequence[Row[Any]]:
    """Our gateways (id, name) at an operator."""
    return rows("SELECT id, name FROM operators_gateway WHERE operator_id = :id ORDER BY name", id=operator_id)


def dedicated_numbers(gateway_id: int) -> list[str]:
    """The numbers of the dedicated lines of a gateway, whoever owns them: texts to them are asked for."""
    found = rows(
        "SELECT number FROM lines_line WHERE gateway_id = :id AND kind = 'dedicated' ORDER BY number", id=gateway_id
    )
    return [line.number for line in found]
