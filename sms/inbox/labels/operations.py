"""Writes of labels: made, changed, thrown away, and put on conversations."""

from collections.abc import Iterable
from datetime import datetime

from sms.core.db import execute, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.inbox.labels.queries import NO_SUCH_LABEL
from sms.inbox.labels.rules import MOST_LABELS, check_label

_NAMED_ALREADY = N_("There is a label of this name already.")


def add_label(*, account_id: int, name: str, colour: str, at: datetime) -> int:
    """Make a label; returns its id. Raises Refusal."""
    name, colour = check_label(name, colour)
    if scalar("SELECT count(*) FROM inbox_label WHERE account_id = :id", id=account_id) >= MOST_LABELS:
        raise Refusal(N_("An account has at most %(most)s labels."), most=MOST_LABELS)
    made = scalar(
        """INSERT INTO inbox_label (account_id, name, colour, created_at) VALUES (:account_id, :name, :colour, :at)
           ON CONFLICT (account_id, lower(name)) DO NOTHING RETURNING id""",
        account_id=account_id,
        name=name,
        colour=colour,
        at=at,
    )
    if made is None:
        raise Refusal(_NAMED_ALREADY)
    return int(made)


def change_label(*, account_id: int, label_id: int, name: str, colour: str) -> None:
    """Call a label otherwise, or give it another colour. Raises NotFound or Refusal."""
    name, colour = check_label(name, colour)
    taken = scalar(
        "SELECT 1 FROM inbox_label WHERE account_id = :account_id AND lower(name) = lower(:name) AND id <> :id",
        account_id=account_id,
        name=name,
        id=label_id,
    )
    if taken:
        raise Refusal(_NAMED_ALREADY)
    if not execute(
        "UPDATE inbox_label SET name = :name, colour = :colour WHERE id = :id AND account_id = :account_id",
        id=label_id,
        account_id=account_id,
        name=name,
        colour=colour,
    ):
        raise NotFound(NO_SUCH_LABEL)


def delete_label(*, account_id: int, label_id: int) -> None:
    """Throw a label away; the conversations it was on stay. Raises NotFound."""
    if not execute(
        "DELETE FROM inbox_label WHERE id = :id AND account_id = :account_id", id=label_id, account_id=account_id
    ):
        raise NotFound(NO_SUCH_LABEL)


def put_labels(*, account_id: int, line_id: int, sender: str, label_ids: Iterable[int], at: datetime) -> None:
    """These labels of the account, and no others of its own, are on a conversation; what is no label of the account is
    left out."""
    wanted = sorted(set(label_ids))
    about = {"account_id": account_id, "line_id": line_id, "sender": sender, "wanted": wanted}
    execute(
        """DELETE FROM inbox_labelled d USING inbox_label b
           WHERE b.id = d.label_id AND b.account_id = :account_id AND d.line_id = :line_id AND d.sender = :sender
             AND b.id <> ALL(CAST(:wanted AS int[]))""",
        **about,
    )
    execute(
        """INSERT INTO inbox_labelled (label_id, line_id, sender, labelled_at)
           SELECT b.id, :line_id, :sender, :at FROM inbox_label b
           WHERE b.account_id = :account_id AND b.id = ANY(CAST(:wanted AS int[]))
           ON CONFLICT DO NOTHING""",
        **about,
        at=at,
    )
