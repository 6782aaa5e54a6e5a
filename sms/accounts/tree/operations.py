"""Writes of the tree: suspending with everybody below, letting in again, closing."""

from sms.accounts import queries, rules
from sms.accounts.operations import record
from sms.accounts.rules import AccountKind, AccountState, Action, By
from sms.accounts.tree.queries import below, is_within, open_below
from sms.core.db import execute, rows, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_

_STALE = N_("The account's state does not allow that now. Load the page again.")
_END_SESSIONS = """
DELETE FROM accounts_session s USING accounts_user u, accounts_account a, accounts_account top
WHERE s.user_id = u.id AND u.account_id = a.id AND top.id = :id AND starts_with(a.path, top.path)
"""


def suspend(*, account_id: int, by_account_id: int | None = None, reason: str, by: By) -> None:
    """Shut an account and all below it out at once: no sign-in, and nothing of theirs is handed over any more; what is
    on the wire completes. Each account above has a suspension of its own (None: the installation's).

    Raises NotFound outside the suspending account's tree; Refusal when it has suspended this one already.
    """
    top_id = _above(account_id, by_account_id)
    account = queries.account(account_id)
    made = account.state != AccountState.CLOSED and execute(
        "INSERT INTO accounts_suspension (account_id, by_account_id, user_id, reason, since_at)"
        " VALUES (:id, :top_id, :user_id, :reason, :at) ON CONFLICT DO NOTHING",
        id=account_id,
        top_id=top_id,
        user_id=by.actor_id,
        reason=reason,
        at=by.at,
    )
    if not made:
        raise Refusal(_STALE)
    execute("UPDATE accounts_account SET state = 'suspended' WHERE id = :id AND state = 'active'", id=account_id)
    execute(_END_SESSIONS, id=account_id)
    _note(account_id, Action.ACCOUNT_SUSPENDED, reason, by)


def resume(*, account_id: int, by_account_id: int | None = None, reason: str, by: By) -> bool:
    """Take back one's own suspension; returns whether the account is open again: not while it is suspended by somebody
    else too, or stands below one that is. Those below it that were suspended themselves stay so.

    Raises NotFound outside the tree; Refusal where one has suspended nothing.
    """
    top_id = _above(account_id, by_account_id)
    ended = execute(
        "DELETE FROM accounts_suspension WHERE account_id = :id AND by_account_id = :top_id",
        id=account_id,
        top_id=top_id,
    )
    if not ended:
        if queries.account(account_id).state == AccountState.SUSPENDED:
            raise Refusal(N_("Somebody above you suspended this account; only they can let it in again."))
        raise Refusal(_STALE)
    execute(
        "UPDATE accounts_account SET state = 'active' WHERE id = :id AND state = 'suspended'"
        " AND NOT EXISTS (SELECT FROM accounts_suspension WHERE account_id = :id)",
        id=account_id,
    )
    _note(account_id, Action.ACCOUNT_RESUMED, reason, by)
    return bool(scalar("SELECT is_open FROM accounts_account WHERE id = :id", id=account_id))


def close(*, account_id: int, by_account_id: int | None = None, reason: str, by: By) -> None:
    """Close an account for good; the caller has made sure that nothing is open in it.

    Raises NotFound outside the tree; Refusal while accounts stand below it, or when it is closed already.
    """
    _above(account_id, by_account_id)
    if count := open_below(account_id):
        raise Refusal(N_("%(count)s accounts stand below it; close them first."), count=count)
    if AccountState.CLOSED not in rules.MOVES[AccountState(queries.account(account_id).state)]:
        raise Refusal(_STALE)
    execute("UPDATE accounts_account SET state = 'closed' WHERE id = :id AND state <> 'closed'", id=account_id)
    execute("DELETE FROM accounts_suspension WHERE account_id = :id", id=account_id)
    execute(_END_SESSIONS, id=account_id)
    _note(account_id, "account.closed", reason, by)


def _above(account_id: int, by_account_id: int | None) -> int:
    """Hold the tree as it is, and return the account that acts, which must stand above the other."""
    scalar("SELECT pg_advisory_xact_lock(hashtext('accounts_account tree'))")
    account = queries.account(account_id)
    top_id = queries.root_id() if by_account_id is None else by_account_id
    if account.kind == AccountKind.INSTALLATION:
        raise Refusal(N_("The installation itself cannot be suspended."))
    if by_account_id is not None:
        below(by_account_id, account_id)
    elif not is_within(top_id, account_id):
        raise NotFound(N_("There is no such account."))
    rows("SELECT id FROM accounts_account WHERE id = :id FOR NO KEY UPDATE", id=account_id)
    return top_id


def _note(account_id: int, action: str, reason: str, by: By) -> None:
    record(
        actor_id=by.actor_id,
        account_id=account_id,
        action=action,
        details={"reason": reason},
        at=by.at,
        address=by.address,
    )
