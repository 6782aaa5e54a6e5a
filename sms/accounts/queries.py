"""Reads of accounts, users, sessions and the audit."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.accounts.looks.rules import Look
from sms.accounts.rules import Visitor
from sms.core.db import row, rows, scalar
from sms.core.errors import NotFound
from sms.core.text import N_

_VISITOR = """
SELECT u.id, u.account_id, a.kind AS account_kind, a.name AS account_name, u.username, u.full_name, u.role, u.language,
       a.money_unit, u.id = me.id AND u.password_expires_at IS NOT NULL AS must_change_password, s.created_at,
       s.seen_at, mine.kind AS own_kind, mine.path AS own_path, l.id AS look_id,
       me.id AS actor_id, mine.id AS actor_account_id, mine.name AS
       actor_account_name, coalesce(nullif(me.full_name, ''), me.username) AS actor_name, l.ends_at,
       l.may_act AND a.is_open AND u.is_active AS may_act, l.ends_at <= :at AS is_over
FROM accounts_session s JOIN accounts_user me ON me.id = s.user_id JOIN accounts_account mine ON mine.id = me.account_id
LEFT JOIN accounts_look l ON l.id = s.look_id
JOIN accounts_user u ON u.id = CASE WHEN l.ends_at > :at THEN l.user_id ELSE me.id END
JOIN accounts_account a ON a.id = u.account_id
WHERE s.token_hash = :token_hash AND s.expires_at > :at AND me.is_active AND mine.is_open
"""

_ACCOUNT = """
SELECT a.id, a.parent_id, a.path, a.kind, a.name, a.state, a.is_open, a.money_unit, a.created_at, p.name AS parent_name
FROM accounts_account a LEFT JOIN accounts_account p ON p.id = a.parent_id
"""

# The first owner stands for the account: an account without users has none.
_ACCOUNTS_PAGE = """
SELECT a.id, a.kind, a.name, a.state, a.created_at, a.parent_id, p.name AS parent_name, u.username, u.full_name,
       u.mobile
FROM accounts_account a LEFT JOIN accounts_account p ON p.id = a.parent_id
LEFT JOIN LATERAL (SELECT username, full_name, mobile FROM accounts_user WHERE account_id = a.id
                   ORDER BY role = 'owner' DESC, id LIMIT 1) u ON true
WHERE (CAST(:before AS bigint) IS NULL OR a.id < :before) AND (:kind = '' OR a.kind = :kind)
  AND (:state = '' OR a.state = :state)
  AND (:search = '' OR a.name ILIKE :pattern OR EXISTS (
       SELECT FROM accounts_user x WHERE x.account_id = a.id AND (x.username LIKE :pattern OR x.full_name ILIKE :pattern
              OR x.mobile = :mobile)))
ORDER BY a.id DESC LIMIT :most
"""

_AUDIT_PAGE = """
SELECT t.id, t.at, t.action, t.subject, t.details, t.address, t.actor_id, u.username AS actor, t.account_id,
       a.name AS account_name, CASE WHEN l.actor_id <> t.actor_id THEN m.username END AS really
FROM accounts_audit t LEFT JOIN accounts_user u ON u.id = t.actor_id LEFT JOIN accounts_account a ON a.id = t.account_id
LEFT JOIN accounts_look l ON l.id = t.look_id LEFT JOIN accounts_user m ON m.id = l.actor_id
WHERE (CAST(:before AS bigint) IS NULL OR t.id < :before)
  AND (CAST(:account_id AS bigint) IS NULL OR t.account_id = :account_id)
  AND (:action = '' OR t.action = :action)
ORDER BY t.id DESC LIMIT :most
"""


_OF_A_LOOK = ("actor_id", "actor_account_id", "actor_name", "actor_account_name", "may_act", "ends_at", "is_over")


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session that has not ended, and whose it is; `own_kind` is the kind of its own user's account, also while they
    look at another one."""

    visitor: Visitor
    own_kind: str
    own_path: str
    created_at: datetime
    seen_at: datetime


def token_hash(token: str) -> bytes:
    """What the database keeps of a session's token."""
    return hashlib.sha256(token.encode()).digest()


def session(*, token: str, at: datetime) -> LiveSession | None:
    """The session behind a token if it has not ended and its user may still get in; None otherwise."""
    found = row(_VISITOR, token_hash=token_hash(token), at=at)
    if found is None:
        return None
    facts = dict(found._mapping)
    seen = {name: facts.pop(name) for name in ("own_kind", "own_path", "created_at", "seen_at")}
    look_id, told = facts.pop("look_id"), {name: facts.pop(name) for name in _OF_A_LOOK}
    look = Look(id=look_id, **told) if look_id is not None else None
    return LiveSession(Visitor(token=token, look=look, **facts), **seen)


def account(account_id: int) -> Row[Any]:
    """One account with its parent's name; raises NotFound."""
    found = row(f"{_ACCOUNT} WHERE a.id = :id", id=account_id)
    if found is None:
        raise NotFound(N_("There is no such account."))
    return found


def reseller_of(account_id: int) -> int | None:
    """The reseller right above an account; None for one that stands right below the installation."""
    found = scalar(
        "SELECT p.id FROM accounts_account a JOIN accounts_account p ON p.id = a.parent_id AND p.kind = 'reseller'"
        " WHERE a.id = :id",
        id=account_id,
    )
    return int(found) if found is not None else None


def resellers_above(account_id: int) -> tuple[int, ...]:
    """The resellers above an account, nearest first; none for one that stands right below the installation."""
    found = rows(
        """WITH RECURSIVE above AS (
               SELECT parent_id AS id, 1 AS level FROM accounts_account WHERE id = :id
               UNION ALL
               SELECT a.parent_id, level + 1 FROM above JOIN accounts_account a ON a.id = above.id
           )
           SELECT a.id FROM above JOIN accounts_account a ON a.id = above.id AND a.kind = 'reseller' ORDER BY level""",
        id=account_id,
    )
    return tuple(each.id for each in found)


def find_root() -> int | None:
    """The id of the installation's own account; None on an installation nobody has set up yet."""
    found = scalar("SELECT id FROM accounts_account WHERE kind = 'installation'")
    return int(found) if found is not None else None


def root_id() -> int:
    """The id of the installation's own account, the root of the tree; raises NotFound before it is made."""
    found = find_root()
    if found is None:
        raise NotFound(N_("The installation has no account of its own yet; run account-create --kind installation."))
    return found


def possible_parents(most: int = 500) -> Sequence[Row[Any]]:
    """The accounts that others may stand below: the installation, then active resellers by name."""
    return rows(
        "SELECT id, name, kind FROM accounts_account WHERE kind IN ('installation', 'reseller') AND is_open"
        " ORDER BY kind, name, id LIMIT :most",
        most=most,
    )


def sub_accounts(account_id: int, most: int = 50) -> Sequence[Row[Any]]:
    """The accounts right below one, newest first."""
    return rows(
        "SELECT id, kind, name, state, created_at FROM accounts_account WHERE parent_id = :id"
        " ORDER BY id DESC LIMIT :most",
        id=account_id,
        most=most,
    )


def user_by_name(username: str) -> Row[Any]:
    """A user (with the account's kind, name and state) by user name; raises NotFound."""
    found = row(
        "SELECT u.id, u.account_id, u.username, u.full_name, u.role, u.language, u.is_active, a.kind AS account_kind,"
        " a.name AS account_name, a.state AS account_state"
        " FROM accounts_user u JOIN accounts_account a ON a.id = u.account_id WHERE u.username = :username",
        username=username.lower(),
    )
    if found is None:
        raise NotFound(N_("There is no user called %(username)s."), username=username)
    return found


def credentials(username: str) -> Row[Any] | None:
    """What is needed to let somebody in, or not; None when nobody is called so."""
    return row(
        "SELECT u.id, u.account_id, u.password_hash, u.password_expires_at, u.is_active, u.language,"
        " a.kind AS account_kind, a.is_open, a.path"
        " FROM accounts_user u JOIN accounts_account a ON a.id = u.account_id WHERE u.username = :username",
        username=username,
    )


def user(account_id: int, user_id: int) -> Row[Any]:
    """One user of one account; raises NotFound."""
    found = row(
        "SELECT id, account_id, username, password_hash, full_name, mobile, role, language, is_active, created_at,"
        " password_changed_at, password_expires_at FROM accounts_user WHERE id = :id AND account_id = :account_id",
        id=user_id,
        account_id=account_id,
    )
    if found is None:
        raise NotFound(N_("There is no such user."))
    return found


def users(account_id: int) -> Sequence[Row[Any]]:
    """The users of an account with the moment each was last seen in a session that still stands; owners first."""
    return rows(
        "SELECT u.id, u.username, u.full_name, u.mobile, u.role, u.is_active, u.created_at, u.password_expires_at,"
        " (SELECT max(seen_at) FROM accounts_session s WHERE s.user_id = u.id) AS seen_at"
        " FROM accounts_user u WHERE u.account_id = :id ORDER BY u.role = 'owner' DESC, u.id",
        id=account_id,
    )


def sessions(user_id: int, at: datetime) -> Sequence[Row[Any]]:
    """The sign-ins of a user that have not ended, the last used first; `ref` names one without giving it away."""
    return rows(
        "SELECT left(encode(token_hash, 'hex'), 16) AS ref, token_hash, created_at, seen_at, expires_at, address, agent"
        " FROM accounts_session WHERE user_id = :id AND expires_at > :at ORDER BY seen_at DESC, token_hash",
        id=user_id,
        at=at,
    )


def accounts_page(
    *, before: int | None, most: int, search: str = "", mobile: int | None = None, kind: str = "", state: str = ""
) -> Sequence[Row[Any]]:
    """Accounts, newest first, older than the id `before`; `search` is part of a name or user name, or a mobile."""
    return rows(
        _ACCOUNTS_PAGE,
        before=before,
        most=most,
        search=search,
        pattern=f"%{literal(search)}%",
        mobile=mobile,
        kind=kind,
        state=state,
    )


def audit_page(*, before: int | None, most: int, account_id: int | None = None, action: str = "") -> Sequence[Row[Any]]:
    """What was done, newest first, older than the id `before`."""
    return rows(_AUDIT_PAGE, before=before, most=most, account_id=account_id, action=action)


def audited_actions() -> list[str]:
    """Every action that was ever audited: one step of the index an action, however long the audit is."""
    found = rows(
        "WITH RECURSIVE step AS ((SELECT action FROM accounts_audit ORDER BY action LIMIT 1) UNION ALL"
        " SELECT (SELECT action FROM accounts_audit WHERE action > step.action ORDER BY action LIMIT 1)"
        " FROM step WHERE step.action IS NOT NULL) SELECT action FROM step WHERE action IS NOT NULL"
    )
    return [each.action for each in found]


def literal(text: str) -> str:
    """The text with LIKE's own marks taken literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
