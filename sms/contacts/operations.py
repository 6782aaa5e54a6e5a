"""Writes of contacts: groups and their members, and who must not be written to."""

import logging
from collections.abc import Iterable
from datetime import datetime

from sms.accounts.operations import record
from sms.contacts.queries import NEWS, NO_SUCH_GROUP
from sms.contacts.rules import MOST_GROUPS, Contact, Source, check_name
from sms.core.db import execute, row, rows, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.phone import masked
from sms.core.text import N_

log = logging.getLogger(__name__)
_NAMED_ALREADY = N_("There is a group of this name already.")


def add_group(*, account_id: int, name: str, at: datetime) -> int:
    """Make an empty group; returns its id. Raises Refusal when the name is no name, or taken."""
    if scalar("SELECT count(*) FROM contacts_group WHERE account_id = :id", id=account_id) >= MOST_GROUPS:
        raise Refusal(N_("An account has at most %(most)s groups."), most=MOST_GROUPS)
    made = scalar(
        """INSERT INTO contacts_group (account_id, name, created_at, changed_at) VALUES (:account_id, :name, :at, :at)
           ON CONFLICT (account_id, lower(name)) DO NOTHING RETURNING id""",
        account_id=account_id,
        name=check_name(name),
        at=at,
    )
    if made is None:
        raise Refusal(_NAMED_ALREADY)
    return int(made)


def rename_group(*, account_id: int, group_id: int, name: str, at: datetime) -> None:
    """Call a group otherwise. Raises NotFound, or Refusal when the name is no name, or taken."""
    wanted = check_name(name)
    lock_group(account_id, group_id)
    taken = scalar(
        "SELECT 1 FROM contacts_group WHERE account_id = :account_id AND lower(name) = lower(:name) AND id <> :id",
        account_id=account_id,
        name=wanted,
        id=group_id,
    )
    if taken:
        raise Refusal(_NAMED_ALREADY)
    execute("UPDATE contacts_group SET name = :name, changed_at = :at WHERE id = :id", name=wanted, id=group_id, at=at)


def delete_group(*, account_id: int, group_id: int) -> None:
    """Throw a group away with its members; what was sent to them stays. Raises NotFound."""
    lock_group(account_id, group_id)
    execute("DELETE FROM contacts_group WHERE id = :id", id=group_id)


def lock_group(account_id: int, group_id: int) -> None:
    """Hold a group, so that its members are counted by one at a time; raises NotFound, also for somebody else's."""
    if not scalar(
        "SELECT 1 FROM contacts_group WHERE id = :id AND account_id = :account_id FOR UPDATE",
        id=group_id,
        account_id=account_id,
    ):
        raise NotFound(NO_SUCH_GROUP)


def count_members(*, group_id: int, more: int, at: datetime) -> None:
    """So many more members are in a group that is held."""
    execute(
        "UPDATE contacts_group SET member_count = member_count + :more, changed_at = :at WHERE id = :id",
        id=group_id,
        more=more,
        at=at,
    )


def add_members(*, account_id: int, group_id: int, numbers: Iterable[int], source: str, at: datetime) -> int:
    """Put numbers (98…) into a group; returns how many were not in it before. Who was there keeps name and source.

    Raises NotFound.
    """
    return add_contacts(
        account_id=account_id, group_id=group_id, contacts=[Contact(each) for each in numbers], source=source, at=at
    )


def add_contacts(*, account_id: int, group_id: int, contacts: Iterable[Contact], source: str, at: datetime) -> int:
    """The same of numbers with names; a name replaces the one that was there. Raises NotFound."""
    lock_group(account_id, group_id)
    wanted = dict(contacts)
    if not wanted:
        return 0
    mobiles = sorted(wanted)
    added = int(
        scalar(
            """WITH made AS (
                   INSERT INTO contacts_member AS m (group_id, mobile, name, added_at, source)
                   SELECT :group_id, n.mobile, n.name, :at, :source
                   FROM unnest(CAST(:mobiles AS bigint[]), CAST(:names AS text[])) AS n (mobile, name)
                   ON CONFLICT (group_id, mobile) DO UPDATE SET name = excluded.name
                   WHERE excluded.name <> '' AND excluded.name <> m.name
                   RETURNING xmax = 0 AS is_new)
               SELECT count(*) FILTER (WHERE is_new) FROM made""",
            group_id=group_id,
            mobiles=mobiles,
            names=[wanted[mobile] for mobile in mobiles],
            source=source,
            at=at,
        )
    )
    count_members(group_id=group_id, more=added, at=at)
    return added


def remove_members(
    *, account_id: int, group_id: int, numbers: Iterable[int], source: str = Source.PANEL, at: datetime
) -> int:
    """Take numbers (98…) out of a group, whoever (`source`) wants it; returns how many were in it. Raises NotFound."""
    lock_group(account_id, group_id)
    removed = execute(
        "DELETE FROM contacts_member WHERE group_id = :id AND mobile = ANY(:numbers)",
        id=group_id,
        numbers=sorted(set(numbers)),
    )
    count_members(group_id=group_id, more=-removed, at=at)
    log.info("group %s: %s members taken out by %s", group_id, removed, source)
    return removed


# Opt-outs


def opt_out(
    *,
    account_id: int | None,
    recipients: Iterable[int],
    line_id: int | None,
    reason: str,
    source: str = Source.PANEL,
    at: datetime,
) -> int:
    """Keep recipients (98…) from an account's texts over one line, or (None) over all; without an account from
    everybody's over a public line. Returns how many are new.

    Who has opted out before keeps the first reason and time.
    """
    wanted = sorted(set(recipients))
    if not wanted:
        return 0
    return execute(
        """INSERT INTO contacts_optout (account_id, recipient, line_id, reason, source, created_at)
           SELECT :account_id, n.recipient, :line_id, :reason, :source, :at
           FROM unnest(CAST(:recipients AS bigint[])) AS n (recipient)
           ON CONFLICT (account_id, recipient, line_id) DO NOTHING""",
        account_id=account_id,
        recipients=wanted,
        line_id=line_id,
        reason=reason,
        source=str(source),
        at=at,
    )


def take_news(*, most: int) -> list[int]:
    """The ids of opt-outs for which sends that wait have not been looked through, each told once."""
    found = rows(
        f"""UPDATE contacts_optout SET is_news = false WHERE id = ANY(ARRAY(
               SELECT id FROM contacts_optout WHERE {NEWS} ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED))
           RETURNING id""",  # noqa: S608 - our own words
        most=most,
    )
    return sorted(each.id for each in found)


def opt_in(*, account_id: int | None, recipients: Iterable[int], line_id: int | None) -> int:
    """Take opt-outs back, those over this line or (None) those over all lines; returns how many there were."""
    return execute(
        """DELETE FROM contacts_optout WHERE account_id IS NOT DISTINCT FROM :account_id
           AND recipient = ANY(:recipients) AND line_id IS NOT DISTINCT FROM :line_id""",
        account_id=account_id,
        recipients=sorted(set(recipients)),
        line_id=line_id,
    )


def remove_opt_out(*, account_id: int, opt_out_id: int, by_user_id: int, at: datetime) -> None:
    """Take one off an account's list. What the recipient himself asked for by a text, only his text takes back.

    Raises NotFound or Refusal.
    """
    found = row(
        "SELECT recipient, line_id, source FROM contacts_optout WHERE id = :id AND account_id = :account_id FOR UPDATE",
        id=opt_out_id,
        account_id=account_id,
    )
    if found is None:
        raise NotFound(N_("There is no such entry."))
    if found.source == Source.TEXT:
        raise Refusal(N_("The recipient asked for this by a text; only a text of the recipient takes it back."))
    execute("DELETE FROM contacts_optout WHERE id = :id", id=opt_out_id)
    record(
        actor_id=by_user_id,
        account_id=account_id,
        action="contacts.opt_out_removed",
        details={"recipient": masked(found.recipient)},
        at=at,
    )
