"""P9: the pages of a customer who owns a third of all messages, with a tenth of them stored and with all."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import count

from flask import current_app

from bench.archive import Planned, Stage, write
from bench.figures import Figure, percentile
from bench.shop import Shop, open_shop
from bench.visits import Reader, Visits
from sms.core import calendar, clock
from sms.core.db import release, row

_DAYS = 90
_OTHERS = 9
_READERS_OF_TEN = (0, 3, 9)  # the newest campaigns are among the reader's
_CAMPAIGN_ROWS = 10_000
_SINGLES_A_CAMPAIGN = 20  # campaigns of one message, of the reader, beside each list
_VISITS = 40
_WARM_UP = 3


def measure(rows: int) -> list[Figure]:
    """Visit every page with a tenth of `rows` messages stored, then with `rows` of them."""
    shop = open_shop(others=_OTHERS)
    reader = Reader(current_app._get_current_object())  # type: ignore[attr-defined]
    _fill(shop, rows // 10, lane=0)
    few = _visit_all(shop, reader)
    _fill(shop, rows - rows // 10, lane=1)
    many = _visit_all(shop, reader)
    growth = {name: percentile(many[name].sql_ms, 50) / percentile(few[name].sql_ms, 50) for name in many}
    return _figures(rows, many, growth)


def _figures(rows: int, many: Mapping[str, Visits], growth: Mapping[str, float]) -> list[Figure]:
    server = {name: percentile(visits.server_ms, 95) for name, visits in many.items()}
    sql = {name: percentile(visits.sql_ms, 95) for name, visits in many.items()}
    notes = [
        f"{name}: server {server[name]:.1f} ms, SQL {sql[name]:.1f} ms in {many[name].statements} statements (95 of"
        f" 100), {growth[name]:.2f} times the SQL at a tenth of the messages"
        for name in many
    ]
    slowest, heaviest, fastest_growing = (max(found, key=found.__getitem__) for found in (server, sql, growth))
    return [
        Figure(
            code="P9",
            work=f"slowest page with {rows:,} messages: {slowest}, 95 of 100",
            value=server[slowest],
            unit="ms",
            target=50,
            is_ceiling=True,
            notes=notes,
        ),
        Figure(
            code="P9",
            work=f"heaviest SQL of a page: {heaviest}, 95 of 100",
            value=sql[heaviest],
            unit="ms",
            target=5,
            is_ceiling=True,
        ),
        Figure(
            code="P9",
            work=f"growth of SQL from {rows // 10:,} messages: {fastest_growing}",
            value=growth[fastest_growing],
            unit="times",
            target=1.5,
            is_ceiling=True,
        ),
    ]


def _fill(shop: Shop, rows: int, *, lane: int) -> None:
    """Lists and single messages spread over the last months."""
    size = min(_CAMPAIGN_ROWS, max(1, rows // 10))
    lists = max(1, rows // size)
    until = clock.now().replace(second=0, microsecond=0) - timedelta(minutes=2 - lane)
    pause = timedelta(days=_DAYS) / lists
    planned: list[Planned] = []
    others = count()
    for number in range(lists):
        at = until - pause * (lists - 1 - number)
        is_readers = number % 10 in _READERS_OF_TEN or number == lists - 1
        account_id = (
            shop.account_id if is_readers else shop.other_account_ids[next(others) % len(shop.other_account_ids)]
        )
        planned.extend(
            Planned(shop.account_id, 1, at - pause * share / (_SINGLES_A_CAMPAIGN + 1))
            for share in range(_SINGLES_A_CAMPAIGN, 0, -1)
        )
        planned.append(Planned(account_id, size, at))
    write(shop, planned, stage=Stage.CLOSED, lane=lane)


def _visit_all(shop: Shop, reader: Reader) -> dict[str, Visits]:
    found: dict[str, Visits] = {}
    for name, path in _paths(shop).items():
        for _ in range(_WARM_UP):
            reader.visit(path, Visits())
        found[name] = Visits()
        for _ in range(_VISITS):
            reader.visit(path, found[name])
    return found


def _paths(shop: Shop) -> dict[str, str]:
    """The addresses of the pages: of the reader's newest list, and of a message of it."""
    newest = row(
        "SELECT id, first_id FROM outbox_campaign WHERE account_id = :id AND priority = 2 ORDER BY id DESC LIMIT 1",
        id=shop.account_id,
    )
    middle = row("SELECT (min(first_id) + max(last_id)) / 2 AS id FROM outbox_campaign")
    written = row("SELECT recipient FROM outbox_message WHERE id = :id", id=newest.first_id if newest else 0)
    release()
    if newest is None or middle is None or written is None:
        raise LookupError("the archive is empty")
    today = calendar.day_text(calendar.day_of(clock.now()), "fa")
    return {
        "home": "/",
        "outbox": "/outbox",
        "outbox, in the middle": f"/outbox?before={middle.id}",
        "outbox, today": f"/outbox?day={today}",
        "outbox, one recipient": f"/outbox?recipient=0{written.recipient - 98 * 10**10}",
        "outbox, blocked": "/outbox?outcome=blocked",
        "outbox, filtered (none)": "/outbox?outcome=filtered",
        "campaigns": "/campaigns",
        "campaign": f"/campaigns/{newest.id}",
        "blocked of a campaign": f"/campaigns/{newest.id}/blocked",
        "message": f"/messages/{newest.first_id}",
        "statement": "/statement",
    }
