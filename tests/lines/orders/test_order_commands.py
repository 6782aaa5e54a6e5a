"""The commands of orders: the whole way from a script, and what is refused."""

import json
from typing import Any

from flask import Flask

from sms.core.db import scalar
from tests.lines.orders.desk import PRICE, Desk


def _run(app: Flask, *words: str, fails: bool = False) -> Any:
    done = app.test_cli_runner().invoke(args=[*words, "--json"])
    assert (done.exit_code != 0) is fails, done.output
    return done.output if fails else json.loads(done.output)


def test_an_order_goes_its_way_by_commands(app: Flask, desk: Desk) -> None:
    order_id = str(desk.place())
    (waiting,) = _run(app, "order-list")["orders"]
    assert (waiting["order"], waiting["state"]) == (int(order_id), "inquiry")

    quoted = _run(app, "order-quote", order_id, "--rial", str(PRICE // 1000), "--days", "3")
    assert (quoted["state"], quoted["price_mrial"]) == ("quoted", PRICE)
    assert "The price changed" in _run(app, "order-approve", order_id, "--rial", "1", fails=True)
    approved = _run(app, "order-approve", order_id, "--rial", str(PRICE // 1000))
    assert approved["set_aside_mrial"] == PRICE
    assert "documents" in _run(app, "order-purchase", order_id, "--cost-rial", "1000", fails=True)
    _run(app, "order-purchase", order_id, "--cost-rial", "1000", "--without-documents")
    gateway = str(scalar("SELECT name FROM operators_gateway WHERE id = :id", id=desk.gateway_id))
    active = _run(app, "order-hand-over", order_id, "--gateway", gateway)
    assert active["state"] == "active"
    assert scalar("SELECT number FROM lines_line WHERE id = :id", id=active["line"]) == "30001404"
    assert _run(app, "order-list")["orders"] == []
    assert len(_run(app, "order-list", "--state", "active")["orders"]) == 1
    desk.verify()


def test_an_order_is_turned_down_by_command(app: Flask, desk: Desk) -> None:
    order_id = str(desk.place())
    assert _run(app, "order-reject", order_id, "--reason", "gone")["state"] == "rejected"
    assert "over" in _run(app, "order-reject", order_id, "--reason", "gone", fails=True)
    assert "no such order" in _run(app, "order-quote", "999999", "--rial", "1", fails=True)
