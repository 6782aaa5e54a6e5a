"""The pages of addresses: made, changed, what became of each text, sent again; an answer is shown as text."""

import pytest
from flask import Flask

from jobs import forwarding
from sms.core import clock
from sms.core.db import execute, scalar, transaction
from tests.inbox.conftest import Post
from tests.inbox.forwarding.conftest import Receiver
from tests.inbox.visits import Visitor, visiting


@pytest.fixture
def visitor(app: Flask, post: Post) -> Visitor:
    return visiting(app, post.shop.account_id)


def _fields(**changes: str) -> dict[str, str]:
    return {"name": "ours", "url": "https://shop.example/texts", "takes_all": "y"} | changes


def _add(post: Post, visitor: Visitor) -> int:
    assert visitor.send(f"/lines/{post.line_id}/forwarding", _fields()).status == 303
    return int(scalar("SELECT max(id) FROM inbox_hook"))


@pytest.mark.parametrize(
    ("changes", "marked"),
    [
        ({"url": "http://shop.example/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://2130706433/"}, "url"),
        ({"url": "https://user@shop.example/"}, "url"),
        ({"url": ""}, "url"),
        ({"name": ""}, "name"),
    ],
)
def test_what_cannot_be_sent_to_is_marked(post: Post, visitor: Visitor, changes: dict[str, str], marked: str) -> None:
    answer = visitor.send(f"/lines/{post.line_id}/forwarding", _fields(**changes))
    assert answer.status == 422
    assert answer.page.select_one(f"#{marked}[aria-invalid]") is not None
    assert scalar("SELECT count(*) FROM inbox_hook") == 0


def test_an_address_is_made_watched_changed_and_removed(post: Post, visitor: Visitor, receiver: Receiver) -> None:
    hook_id = _add(post, visitor)
    receiver.statuses = [500, 200]
    post.bring(post.text("<b>hello</b>"), at=clock.now())
    forwarding.forward()
    page = visitor.go(f"/forwarding/{hook_id}").page
    assert "<b>hello</b>" in page.get_text()
    assert "ok <img src=x onerror=alert(1)>" in page.get_text()
    assert not page.select("main img")
    delivery_id = scalar("SELECT id FROM inbox_delivery")
    assert "500" in visitor.go(f"/forwarding/{hook_id}/deliveries/{delivery_id}").page.get_text()
    assert visitor.send(f"/forwarding/{hook_id}/again", {"delivery_id": str(delivery_id)}).status == 303
    forwarding.forward()
    assert scalar("SELECT state FROM inbox_delivery") == "delivered"
    secret = page.select_one("code").get_text()  # type: ignore[union-attr]
    assert visitor.send(f"/forwarding/{hook_id}/secret", {}).status == 303
    assert secret not in visitor.go(f"/forwarding/{hook_id}").page.get_text()
    changed = _fields(url="https://other.example/", takes_all="")
    assert visitor.send(f"/forwarding/{hook_id}", changed).status == 303
    assert scalar("SELECT host FROM inbox_hook") == "other.example"
    assert visitor.send(f"/forwarding/{hook_id}/switch", {"off": "1"}).status == 303
    assert not scalar("SELECT is_on FROM inbox_hook")
    assert visitor.send(f"/forwarding/{hook_id}/remove", {}).status == 303
    assert visitor.go(f"/forwarding/{hook_id}").status == 404


def test_a_day_of_failures_stands_on_the_home_page_and_in_the_inbox(post: Post, visitor: Visitor) -> None:
    hook_id = _add(post, visitor)
    with transaction():
        execute("UPDATE inbox_hook SET failing_since = now() - interval '25 hours'")
    for address in ("/", "/inbox"):
        assert "has taken no text" in visitor.go(address).page.get_text()
    assert visitor.send(f"/forwarding/{hook_id}/known", {}).status == 303
    assert "has taken no text" not in visitor.go("/").page.get_text()


def test_a_strangers_address_is_not_there(app: Flask, post: Post, visitor: Visitor) -> None:
    hook_id = _add(post, visitor)
    rival = visiting(app, post.rival_id)
    assert rival.go(f"/lines/{post.line_id}/forwarding").status == 404
    assert rival.go(f"/forwarding/{hook_id}").status == 404
    for act in ("again", "switch", "secret", "remove", "known"):
        assert rival.send(f"/forwarding/{hook_id}/{act}", {}).status == 404
    assert rival.send(f"/forwarding/{hook_id}", _fields()).status == 404
    assert visitor.go(f"/forwarding/{hook_id}").status == 200
