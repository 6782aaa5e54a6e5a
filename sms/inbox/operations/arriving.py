"""Texts are taken into the inbox of whoever owns their line."""

from collections.abc import Sequence
from typing import NamedTuple

from sms.contacts.words.operations import hear
from sms.contacts.words.rules import Said
from sms.core.db import execute, rows
from sms.inbox.automations.operations.running import await_looks
from sms.inbox.forwarding.operations.deliveries import queue_all
from sms.inbox.rules import Arrived, Receiver, is_mobile, keys_of, line_of, once_each, parts_of, sender_of
from sms.lines.rules import LineKind

_TAKERS = 815_493_030  # one taker at a time: whether a text repeats another is asked before it is written

_ARRIVED = """
WITH taken AS (
    DELETE FROM operators_inbound WHERE id IN (SELECT id FROM operators_inbound ORDER BY id LIMIT :most)
    RETURNING *)
SELECT t.gateway_id, o.code AS operator_code, t.sender, t.line_number, t.body, t.sent_at, t.operator_ref, t.missing,
       t.received_at
FROM taken t JOIN operators_gateway g ON g.id = t.gateway_id JOIN operators_operator o ON o.id = g.operator_id
ORDER BY t.id
"""

_PUT = """
INSERT INTO inbox_message AS m (gateway_id, key, line_id, account_id, line_number, sender, body, parts, missing,
    operator_ref, sent_at, received_at, times)
SELECT * FROM unnest(CAST(:gateways AS int[]), CAST(:keys AS bytea[]), CAST(:line_ids AS int[]),
    CAST(:accounts AS bigint[]), CAST(:lines AS text[]), CAST(:senders AS text[]), CAST(:bodies AS text[]),
    CAST(:parts AS smallint[]), CAST(:missing AS smallint[]), CAST(:refs AS text[]), CAST(:sent AS timestamptz[]),
    CAST(:received AS timestamptz[]), CAST(:times AS int[]))
ON CONFLICT (gateway_id, key) DO UPDATE SET times = m.times + excluded.times
RETURNING m.id, m.account_id, m.gateway_id, m.key, xmax = 0 AS is_new
"""


def take_arrived(*, most: int) -> int:
    """Put texts that were kept into the inbox of whoever owns their line, each once, however often it came; those that
    belong to nobody are there for the staff. What is to happen to a text by itself is queued with it. Returns how many
    were taken."""
    execute(f"SELECT pg_advisory_xact_lock({_TAKERS})")
    texts = [_at_home(Arrived(**found._mapping)) for found in rows(_ARRIVED, most=most)]
    if not texts:
        return 0
    new = _put(texts)
    if new:
        await_looks(text_ids=new)
        queue_all(text_ids=new)
    return len(texts)


def _at_home(text: Arrived) -> Arrived:
    return text._replace(line_number=line_of(text.line_number, operator_code=text.operator_code))


def _put(texts: Sequence[Arrived]) -> list[int]:
    """Returns the texts that somebody owns and that were not there before."""
    kept = once_each(texts, _known(texts))
    receivers = _receivers([each.text.line_number for each in kept])
    homes = [_home(each.text, receivers.get(each.text.line_number)) for each in kept]
    put = rows(
        _PUT,
        gateways=[each.text.gateway_id for each in kept],
        keys=[each.key for each in kept],
        line_ids=[home.line_id for home in homes],
        accounts=[home.account_id for home in homes],
        lines=[each.text.line_number for each in kept],
        senders=[sender_of(each.text.sender) for each in kept],
        bodies=[each.text.body for each in kept],
        parts=[parts_of(each.text.body) for each in kept],
        missing=[each.text.missing for each in kept],
        refs=[each.text.operator_ref for each in kept],
        sent=[each.text.sent_at for each in kept],
        received=[each.text.received_at for each in kept],
        times=[each.times for each in kept],
    )
    fresh = {(each.gateway_id, bytes(each.key)) for each in put if each.is_new}
    _hear(
        [(each.text, home) for each, home in zip(kept, homes, strict=True) if (each.text.gateway_id, each.key) in fresh]
    )

    return [each.id for each in put if each.is_new and each.account_id is not None]


class _Home(NamedTuple):
    """Where a text belongs: the line it came to, whose that was, and whether it is everybody's."""

    line_id: int | None = None
    account_id: int | None = None
    is_public: bool = False


def _home(text: Arrived, receiver: Receiver | None) -> _Home:
    if receiver is None or receiver.operator_code != text.operator_code:
        return _Home()
    return _Home(receiver.line_id, receiver.owner_at(text.received_at), receiver.kind == LineKind.PUBLIC)


def _hear(arrived: Sequence[tuple[Arrived, _Home]]) -> None:
    """Whoever opts out does so in the transaction that takes his text in: no send accepted afterwards can miss it. What
    came before is not heard again when it repeats."""
    said = [
        Said(home.line_id, home.account_id, int(sender), text.body)
        for text, home in arrived
        if home.line_id is not None and (home.account_id is not None or home.is_public)
        if is_mobile(sender := sender_of(text.sender))
    ]
    if said:
        hear(said, at=max(text.received_at for text, _ in arrived))


def _known(texts: Sequence[Arrived]) -> frozenset[tuple[int, bytes]]:
    places = [(text.gateway_id, key) for text in texts for key in keys_of(text)]
    found = rows(
        """SELECT m.gateway_id, m.key
           FROM unnest(CAST(:gateways AS int[]), CAST(:keys AS bytea[])) AS w (gateway_id, key)
           JOIN inbox_message m ON m.gateway_id = w.gateway_id AND m.key = w.key""",
        gateways=[gateway_id for gateway_id, _ in places],
        keys=[key for _, key in places],
    )
    return frozenset((each.gateway_id, bytes(each.key)) for each in found)


def _receivers(numbers: Sequence[str]) -> dict[str, Receiver]:
    found = rows(
        """SELECT l.number, l.id AS line_id, o.code AS operator_code, l.kind, l.account_id, l.bought_at AS owned_since
           FROM lines_line l JOIN operators_operator o ON o.id = l.operator_id WHERE l.number = ANY(:numbers)""",
        numbers=sorted(set(numbers)),
    )
    return {
        each.number: Receiver(each.line_id, each.operator_code, each.kind, each.account_id, each.owned_since)
        for each in found
    }
