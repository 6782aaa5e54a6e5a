"""P15: the inbox of a customer who owns half of all texts: its pages, its search and a conversation."""

import json
import random
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import psycopg
from flask import current_app
from sqlalchemy import event

from bench.archive import Planned, Stage, write
from bench.figures import Figure, percentile
from bench.shop import Shop, open_shop
from bench.visits import Reader, Visits
from sms.contacts.operations import add_contacts, add_group
from sms.contacts.rules import Contact
from sms.core import calendar, clock
from sms.core.config import settings
from sms.core.db import db, execute, release, scalar, transaction
from sms.inbox.labels.operations import add_label

_OTHERS = 9
_DAYS = 365
_TEXTS_A_SENDER = 10  # but for one who writes one text in a thousand
_CHATTY = 989129999999
_COMMON, _RARE, _NEVER = "سفارش", "زعفران", "هرگز"
_WORDS = [f"واژه{place}" for place in range(2_000)]
_LABELLED, _FEW_LABELLED, _NAMED = 1_000, 5, 10_000
_SENT_SHARE = 50  # one message sent for so many texts
_VISITS = 40
_WARM_UP = 3
_PAGE_MS, _SQL_MS = 50, 20
_SEED = 15
_COLUMNS = (
    "gateway_id, key, line_id, account_id, line_number, sender, body, parts, operator_ref, sent_at, received_at,"
    " read_at, archived_at"
)
_INDEXES = """
SELECT i.indexname, i.indexdef FROM pg_indexes i
WHERE i.tablename = 'inbox_message' AND i.indexname NOT IN (SELECT conname FROM pg_constraint)
"""


def measure(rows: int) -> list[Figure]:
    """Store `rows` texts, then visit every page of the inbox."""
    shop = open_shop(others=_OTHERS)
    lines = _lines(shop)
    _fill(shop, lines, rows)
    _send(shop, max(10, rows // _SENT_SHARE))
    labels = _label(shop, lines[0])
    reader = Reader(current_app._get_current_object())  # type: ignore[attr-defined]
    paths = _paths(shop, lines, labels)
    found = {name: _visited(reader, path) for name, path in paths.items()}
    plans = {name: _plans(reader, path) for name, path in paths.items()}
    return _figures(rows, found, plans)


def _figures(rows: int, found: Mapping[str, Visits], plans: Mapping[str, str]) -> list[Figure]:
    server = {name: percentile(visits.server_ms, 95) for name, visits in found.items()}
    sql = {name: percentile(visits.sql_ms, 95) for name, visits in found.items()}
    notes = [
        f"{name}: server {server[name]:.1f} ms, SQL {sql[name]:.1f} ms in {found[name].statements} statements (95 of"
        f" 100); texts by {plans[name] or 'nothing'}"
        for name in found
    ]
    slowest, heaviest = (max(each, key=each.__getitem__) for each in (server, sql))
    return [
        Figure(
            code="P15",
            work=f"slowest page of the inbox with {rows:,} texts: {slowest}, 95 of 100",
            value=server[slowest],
            unit="ms",
            target=_PAGE_MS,
            is_ceiling=True,
            notes=notes,
        ),
        Figure(
            code="P15",
            work=f"heaviest SQL of the inbox: {heaviest}, 95 of 100",
            value=sql[heaviest],
            unit="ms",
            target=_SQL_MS,
            is_ceiling=True,
        ),
    ]


# What is stored


def _lines(shop: Shop) -> list[tuple[int, str, int]]:
    """(id, number, owner) of three lines of the reader, the first of them the one that is sent from, and one of each
    other customer."""
    owners = [shop.account_id, shop.account_id, *shop.other_account_ids]
    with transaction():
        execute(
            "UPDATE lines_line SET kind = 'dedicated', account_id = :account_id WHERE id = :id",
            id=shop.line_id,
            account_id=shop.account_id,
        )
        first = (shop.line_id, str(scalar("SELECT number FROM lines_line")), shop.account_id)
        return [first] + [
            (
                int(
                    scalar(
                        """INSERT INTO lines_line (operator_id, gateway_id, number, kind, account_id, created_at)
                           VALUES (:operator_id, :gateway_id, :number, 'dedicated', :account_id, :at) RETURNING id""",
                        operator_id=shop.operator_id,
                        gateway_id=shop.gateway_id,
                        number=f"{shop.operator_code}7{place:03}",
                        account_id=owner,
                        at=clock.now(),
                    )
                ),
                f"{shop.operator_code}7{place:03}",
                owner,
            )
            for place, owner in enumerate(owners)
        ]


def _fill(shop: Shop, lines: list[tuple[int, str, int]], rows: int) -> None:
    """COPY the texts of a year in, the oldest first, and make the indexes afterwards."""
    with psycopg.connect(settings().database_url, autocommit=True) as owner:
        indexes = owner.execute(_INDEXES).fetchall()
        for name, _ in indexes:
            owner.execute(f"DROP INDEX {name}".encode())
        with owner.cursor().copy(f"COPY inbox_message ({_COLUMNS}) FROM STDIN".encode()) as copy:
            for some in _texts(shop, lines, rows):
                copy.write(some)
        owner.execute("SET maintenance_work_mem = '512MB'")
        for _, definition in indexes:
            owner.execute(definition.encode())
        owner.execute("VACUUM (ANALYZE) inbox_message")


def _texts(shop: Shop, lines: list[tuple[int, str, int]], rows: int) -> Iterator[str]:
    """Half of them the reader's; the words as unevenly spread as words are."""
    chance = random.Random(_SEED)
    until = clock.now() - timedelta(minutes=1)
    step = timedelta(days=_DAYS) / rows
    senders = max(20, rows // _TEXTS_A_SENDER)
    own, others = lines[:3], lines[3:]
    made: list[str] = []
    for place in range(rows):
        at = until - step * (rows - 1 - place)
        line_id, number, account_id = own[place // 2 % 3] if place % 2 == 0 else others[place // 2 % len(others)]
        sender = _CHATTY if place % 1_000 == 0 else 989120000000 + chance.randrange(senders)
        moment = at.isoformat()
        read = moment if until - at > timedelta(days=3) else "\\N"
        archived = moment if place % 50 == 4 else "\\N"
        made.append(
            f"{shop.gateway_id}\t\\\\x{place:064x}\t{line_id}\t{account_id}\t{number}\t{sender}"
            f"\t{_words(chance, place, rows)}\t1\tref{place}\t{moment}\t{moment}\t{read}\t{archived}\n"
        )
        if len(made) == 10_000:
            yield "".join(made)
            made.clear()
    yield "".join(made)


def _words(chance: random.Random, place: int, rows: int) -> str:
    found = [_WORDS[int(2_000 * chance.random() ** 3)] for _ in range(6)]
    if place % 20 == 0:
        found.append(_COMMON)
    if place % max(2, rows // 50) == 0:
        found.append(_RARE)
    return " ".join(found)


def _send(shop: Shop, count: int) -> None:
    """Messages from the reader's first line; the chatty one got three of them."""
    write(shop, [Planned(shop.account_id, count, clock.now() - timedelta(days=30))], stage=Stage.CLOSED)
    with transaction():
        execute(
            """UPDATE outbox_message SET recipient = :chatty WHERE id IN (
                   SELECT first_id + n FROM outbox_campaign, generate_series(0, 2) AS n)""",
            chatty=_CHATTY,
        )


def _label(shop: Shop, line: tuple[int, str, int]) -> tuple[int, int]:
    """A label on a thousand conversations and one on five; and names of ten thousand who write."""
    at = clock.now()
    with transaction():
        common, few = (
            add_label(account_id=shop.account_id, name=name, colour="red", at=at) for name in ("common", "few")
        )
        for label_id, count in ((common, _LABELLED), (few, _FEW_LABELLED)):
            execute(
                """INSERT INTO inbox_labelled (label_id, line_id, sender, labelled_at)
                   SELECT :label_id, :line_id, sender, :at FROM (
                       SELECT DISTINCT sender FROM (
                           SELECT sender FROM inbox_message WHERE account_id = :account_id AND line_id = :line_id
                           ORDER BY received_at LIMIT :most) old) old ORDER BY sender LIMIT :count""",
                label_id=label_id,
                line_id=line[0],
                account_id=shop.account_id,
                count=count,
                most=3 * count,
                at=at,
            )
        group_id = add_group(account_id=shop.account_id, name="known", at=at)
        known = [Contact(989120000000 + place, f"name {place}") for place in range(_NAMED)]
        add_contacts(account_id=shop.account_id, group_id=group_id, contacts=known, source="panel", at=at)
    return common, few


# What is visited


def _paths(shop: Shop, lines: list[tuple[int, str, int]], labels: tuple[int, int]) -> dict[str, str]:
    middle = clock.now() - timedelta(days=_DAYS // 2)
    before, old = (_text_before(shop.account_id, at) for at in (middle, clock.now() - timedelta(days=_DAYS - 1)))
    day = calendar.day_text(calendar.day_of(middle), "fa")
    talk = f"/inbox/{shop.line_id}/{_CHATTY}"
    ordinary = scalar(
        "SELECT sender FROM inbox_message WHERE id = :id", id=_text_before(shop.account_id, middle, shop.line_id)
    )
    release()
    return {
        "inbox": "/inbox",
        "inbox, in the middle": f"/inbox?before={before}",
        "inbox, nearly the oldest": f"/inbox?before={old}",
        "unread": "/inbox?box=unread",
        "archived": "/inbox?box=archived",
        "one line": f"/inbox?line_id={lines[1][0]}",
        "a day": f"/inbox?day={day}",
        "one sender": f"/inbox?q={ordinary}",
        "search, common word": f"/inbox?q={_COMMON}",
        "search, rare word": f"/inbox?q={_RARE}",
        "search, two words": f"/inbox?q={_COMMON} {_RARE}",
        "search, beginning of a word": "/inbox?q=زعف",
        "search, no such word": f"/inbox?q={_NEVER}",
        "search, a day": f"/inbox?q={_COMMON}&day={day}",
        "label of a thousand": f"/inbox?label_id={labels[0]}",
        "label of five": f"/inbox?label_id={labels[1]}",
        "label and common word": f"/inbox?label_id={labels[0]}&q={_COMMON}",
        "label and rare word": f"/inbox?label_id={labels[0]}&q={_RARE}",
        "label of five and common word": f"/inbox?label_id={labels[1]}&q={_COMMON}",
        "conversation": f"/inbox/{shop.line_id}/{ordinary}",
        "conversation, long": talk,
        "conversation, long, older": f"{talk}?before={_text_before(shop.account_id, middle)}",
    }


def _text_before(account_id: int, at: datetime, line_id: int | None = None) -> int:
    found = scalar(
        """SELECT id FROM inbox_message WHERE account_id = :account_id AND received_at <= :at AND archived_at IS NULL
             AND (CAST(:line_id AS int) IS NULL OR line_id = :line_id) ORDER BY received_at DESC, id DESC LIMIT 1""",
        account_id=account_id,
        at=at,
        line_id=line_id,
    )
    return int(found or scalar("SELECT max(id) FROM inbox_message WHERE account_id = :id", id=account_id))


def _visited(reader: Reader, path: str) -> Visits:
    for _ in range(_WARM_UP):
        reader.visit(path, Visits())
    found = Visits()
    for _ in range(_VISITS):
        reader.visit(path, found)
    return found


def _plans(reader: Reader, path: str) -> str:
    """The indexes by which the statements of a page find texts; a scan of all of them is named as such."""
    asked: list[tuple[str, Mapping[str, object]]] = []

    def note(*about: object) -> None:
        statement, parameters = str(about[2]), about[3]
        if "inbox_message" in statement and isinstance(parameters, dict):
            asked.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        reader.visit(path, Visits())
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    ways: set[str] = set()
    for statement, parameters in asked:
        found = db.session.connection().exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar()
        plan = json.dumps(found)
        ways |= {name.removeprefix("ix_inbox_message_") for name in re.findall(r"ix_inbox_message_\w+", plan)}
        if re.search(r'"Seq Scan"[^{}]*"inbox_message"', plan):
            ways.add("ALL TEXTS")
    release()
    return ", ".join(sorted(ways))
