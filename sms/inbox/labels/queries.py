"""Reads of labels and of the conversations they are on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sms.core.db import row, rows
from sms.core.errors import NotFound
from sms.core.text import N_

NO_SUCH_LABEL = N_("There is no such label.")


@dataclass(frozen=True, slots=True)
class Label:
    """A coloured word that an account puts on conversations."""

    id: int
    name: str
    colour: str


def labels(account_id: int) -> list[Label]:
    """The labels of an account, by name."""
    found = rows(
        "SELECT id, name, colour FROM inbox_label WHERE account_id = :id ORDER BY lower(name), id", id=account_id
    )
    return [Label(**each._mapping) for each in found]


def label(account_id: int, label_id: int) -> Label:
    """One of them; raises NotFound, also for somebody else's."""
    found = row(
        "SELECT id, name, colour FROM inbox_label WHERE id = :id AND account_id = :account_id",
        id=label_id,
        account_id=account_id,
    )
    if found is None:
        raise NotFound(NO_SUCH_LABEL)
    return Label(**found._mapping)


def labels_on(account_id: int, conversations: Iterable[tuple[int, str]]) -> Mapping[tuple[int, str], Sequence[Label]]:
    """The labels that an account has put on these conversations (line, sender); those without any are left out."""
    wanted = sorted(set(conversations))
    found: defaultdict[tuple[int, str], list[Label]] = defaultdict(list)
    if wanted:
        for each in rows(
            """SELECT d.line_id, d.sender, b.id, b.name, b.colour
               FROM unnest(CAST(:lines AS int[]), CAST(:senders AS text[])) AS w (line_id, sender)
               JOIN inbox_labelled d ON d.line_id = w.line_id AND d.sender = w.sender
               JOIN inbox_label b ON b.id = d.label_id AND b.account_id = :account_id
               ORDER BY lower(b.name), b.id""",
            account_id=account_id,
            lines=[line_id for line_id, _ in wanted],
            senders=[sender for _, sender in wanted],
        ):
            found[each.line_id, each.sender].append(Label(each.id, each.name, each.colour))
    return found
