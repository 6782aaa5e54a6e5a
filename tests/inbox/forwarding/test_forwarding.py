"""Texts go on to addresses: signed, tried for three days, told try by try, never into a private network."""

import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import forwarding
from sms.core import clock
from sms.core.actor import Actor
from sms.core.db import db, execute, row, rows, scalar, transaction
from sms.core.errors import NotFound
from sms.inbox.forwarding import queries
from sms.inbox.forwarding.operations import deliveries, hooks
from sms.inbox.forwarding.rules import KEPT_FOR, Told, UnusableHook, answer_text, is_email, next_try, payload
from tests.factories import AT
from tests.inbox.conftest import SENDER, Post
from tests.inbox.forwarding.conftest import Receiver

KEY = "a seal that only tests know"
NASTY = "</script><img src=x onerror=alert(1)> {{7*7}} \u202eevil \ud83d"


class Killed(BaseException):
    """The worker is gone."""


def add(post: Post, url: str = "https://shop.example/texts", *, takes_all: bool = True) -> tuple[int, str]:
    with transaction():
        return hooks.add(
            account_id=post.shop.account_id,
            line_id=post.line_id,
            name="ours",
            url=url,
            takes_all=takes_all,
            seal_key=KEY,
            by=Actor(id=post.shop.user_id),
            at=AT,
        )


def bring(post: Post, *bodies: str) -> None:
    """Texts come now."""
    post.bring(*(post.text(body) for body in bodies), at=clock.now())


def make_due(ago: timedelta = timedelta()) -> None:
    """What waits may be tried now; it has waited for so long already."""
    with transaction():
        execute(
            "UPDATE inbox_delivery SET next_at = now(), until = until - CAST(:ago AS interval) WHERE state = 'waiting'",
            ago=ago,
        )


def states() -> list[str]:
    return [each.state for each in rows("SELECT state FROM inbox_delivery ORDER BY id")]


def test_a_text_is_posted_and_its_signature_holds(post: Post, receiver: Receiver) -> None:
    _, secret = add(post)
    bring(post, NASTY.replace("\ud83d", ""))
    forwarding.forward()
    ((headers, body),) = receiver.heard
    told = json.loads(body)
    assert (told["from"], told["to"], told["text"]) == (SENDER, post.number, NASTY.replace("\ud83d", ""))
    assert told["id"] == scalar("SELECT id FROM inbox_message")
    stamp = headers["X-Payamgah-Timestamp"]
    signed = hmac.new(secret.encode(), f"{stamp}.".encode() + body, sha256).hexdigest()
    assert headers["X-Payamgah-Signature"] == f"v1={signed}"
    assert headers["X-Payamgah-Delivery"] == str(told["delivery"])
    assert abs(int(stamp) - clock.now().timestamp()) < 60
    assert states() == ["delivered"]
    tried = row("SELECT status, answer, problem FROM inbox_delivery_try")
    assert tried is not None
    assert tuple(tried) == (200, "ok <img src=x onerror=alert(1)>", "")


def test_a_text_that_is_told_again_goes_on_once(post: Post, receiver: Receiver) -> None:
    add(post)
    for _ in range(3):
        post.bring(post.text("once", ref="7"), at=clock.now())
        forwarding.forward()
    assert receiver.texts() == ["once"]


def test_only_texts_of_the_own_line_go_on_and_only_to_what_takes_them(post: Post, receiver: Receiver) -> None:
    add(post, takes_all=False)
    bring(post, "not chosen")
    add(post)
    post.bring(post.text("the rival's", number=post.rival_number), post.text("mine"), at=clock.now())
    forwarding.forward()
    assert receiver.texts() == ["mine"]


@pytest.mark.parametrize("status", [500, 404, 301, 302, 429])
def test_what_is_not_taken_is_tried_again_and_told_try_by_try(post: Post, receiver: Receiver, status: int) -> None:
    hook_id, _ = add(post)
    receiver.statuses = [status, status, 204]
    bring(post, "again")
    forwarding.forward()
    forwarding.forward()  # not due yet
    assert len(receiver.heard) == 1
    make_due()
    forwarding.forward()
    assert queries.hook(post.shop.account_id, hook_id).failing_since is not None
    make_due()
    forwarding.forward()
    assert states() == ["delivered"]
    delivery_id = scalar("SELECT id FROM inbox_delivery")
    assert [(each.number, each.status) for each in queries.tries(delivery_id)] == [(3, 204), (2, status), (1, status)]
    assert [headers["X-Payamgah-Attempt"] for headers, _ in receiver.heard] == ["1", "2", "3"]
    assert len({headers["X-Payamgah-Delivery"] for headers, _ in receiver.heard}) == 1
    assert queries.hook(post.shop.account_id, hook_id).failing_since is None


def test_after_three_days_it_is_given_up_and_can_be_sent_again(post: Post, receiver: Receiver) -> None:
    hook_id, _ = add(post)
    receiver.statuses = [503]
    bring(post, "late", "later")
    forwarding.forward()
    make_due(KEPT_FOR)
    forwarding.forward()
    assert states() == ["given_up", "given_up"]
    receiver.statuses = [200]
    with transaction():
        assert deliveries.again(hook_id=hook_id, delivery_id=None, at=clock.now()) == 2
    forwarding.forward()
    assert states() == ["delivered", "delivered"]
    delivery_id = scalar("SELECT min(id) FROM inbox_delivery")
    with transaction():
        assert deliveries.again(hook_id=hook_id, delivery_id=delivery_id, at=clock.now()) == 1
    forwarding.forward()
    assert receiver.texts().count("late") == 4
    with pytest.raises(NotFound), transaction():
        deliveries.again(hook_id=hook_id, delivery_id=10**9, at=clock.now())


def test_the_owner_is_told_after_a_day_of_failures_until_he_knows(post: Post, receiver: Receiver) -> None:
    hook_id, _ = add(post)
    receiver.statuses = [500]
    bring(post, "fails")
    forwarding.forward()
    account_id, later = post.shop.account_id, clock.now() + timedelta(hours=25)
    assert queries.failing(account_id, at=clock.now() + timedelta(hours=23)) == []
    assert [hook.id for hook in queries.failing(account_id, at=later)] == [hook_id]
    assert queries.failing(post.rival_id, at=later) == []
    with transaction():
        hooks.know(account_id=account_id, hook_id=hook_id, at=clock.now())
    assert queries.failing(account_id, at=later) == []
    assert queries.hook(account_id, hook_id).is_on  # never switched off by itself


def test_a_private_address_is_refused_and_said_so_also_when_a_name_turns_to_one(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnusableHook):
        add(post, "https://127.0.0.1/")
    with pytest.raises(UnusableHook):
        add(post, "https://localhost/")  # this installation's own name
    add(post, "https://rebinding.example/")
    bring(post, "secret")
    monkeypatch.setattr("sms.core.outward.socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.0.0.7", 443))])
    forwarding.forward()
    assert states() == ["waiting"]
    assert "private network" in scalar("SELECT problem FROM inbox_delivery_try")


def test_one_host_is_called_by_few_at_once_and_slow_ones_hold_up_nobody(post: Post, receiver: Receiver) -> None:
    add(post, "https://slow.example/a")
    add(post, "https://slow.example/b")
    add(post, "https://quick.example/")
    receiver.pause = 0.15
    bring(post, *(f"text {number}" for number in range(6)))
    forwarding.forward()
    assert states() == ["delivered"] * 18
    assert len(receiver.heard) == 18
    assert receiver.most_at_once <= 4  # two at each of two hosts


def test_an_address_that_is_off_keeps_what_waits_and_gets_nothing_new(post: Post, receiver: Receiver) -> None:
    hook_id, _ = add(post)
    bring(post, "before")
    account_id, by = post.shop.account_id, Actor(id=post.shop.user_id)
    with transaction():
        hooks.switch(account_id=account_id, hook_id=hook_id, is_on=False, by=by, at=AT)
    bring(post, "while it is off")
    forwarding.forward()
    assert receiver.texts() == []
    with transaction():
        hooks.switch(account_id=account_id, hook_id=hook_id, is_on=True, by=by, at=AT)
    forwarding.forward()
    assert receiver.texts() == ["before"]
    bring(post, "gone")
    with transaction():
        hooks.remove(account_id=account_id, hook_id=hook_id, by=by, at=AT)
    forwarding.forward()
    assert receiver.texts() == ["before"]
    assert states() == ["delivered", "given_up"]


def test_a_new_secret_signs_from_then_on(post: Post, receiver: Receiver) -> None:
    hook_id, before = add(post)
    with transaction():
        secret = hooks.renew_secret(
            account_id=post.shop.account_id, hook_id=hook_id, seal_key=KEY, by=Actor(id=post.shop.user_id), at=AT
        )
    assert secret != before
    bring(post, "signed anew")
    forwarding.forward()
    headers, body = receiver.heard[0]
    signed = hmac.new(secret.encode(), f"{headers['X-Payamgah-Timestamp']}.".encode() + body, sha256).hexdigest()
    assert headers["X-Payamgah-Signature"] == f"v1={signed}"


def test_another_key_of_the_installation_is_a_failed_try_and_stops_nobody(post: Post, receiver: Receiver) -> None:
    hook_id, _ = add(post)
    add(post, "https://other.example/")
    with transaction():
        execute("UPDATE inbox_hook SET secret_sealed = '\\x0102030405' WHERE id = :id", id=hook_id)
    bring(post, "text")
    forwarding.forward()
    assert sorted(states()) == ["delivered", "waiting"]


def _dying(at: int) -> Callable[[str], None]:
    left = [at]

    def point(_name: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    return point


def test_twenty_deaths_lose_no_text(post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever dies between an answer and our note of it tells it again, with the same id: a repeat is known by it."""
    add(post)
    bring(post, *(f"text {number}" for number in range(60)))
    for death in range(20):
        with monkeypatch.context() as patched:
            patched.setattr(forwarding, "crash_point", _dying(death % 4 + 1))
            with pytest.raises(Killed):
                forwarding.forward()
        db.session.remove()
        with transaction():
            execute("UPDATE inbox_delivery SET lease_until = now() WHERE lease_until IS NOT NULL")
    forwarding.forward()
    assert states() == ["delivered"] * 60
    told = {(json.loads(body)["delivery"], json.loads(body)["text"]) for _, body in receiver.heard}
    assert sorted(text for _, text in told) == sorted(f"text {number}" for number in range(60))


def test_what_somebody_is_at_is_nobody_elses(post: Post) -> None:
    add(post)
    bring(post, "one", "two", "three")
    at = clock.now()
    with transaction():
        first = deliveries.claim(most=8, at=at)
    with transaction():
        second = deliveries.claim(most=8, at=at)
    with transaction():
        late = deliveries.claim(most=8, at=at + timedelta(minutes=2))
    assert (len(first), len(second), len(late)) == (2, 0, 2)


# Rules


def test_pauses_grow_and_end_after_three_days() -> None:
    at = AT
    pauses = []
    for attempt in range(1, 20):
        following = next_try(attempt=attempt, at=at, share=0.5)
        pauses.append((following - at).total_seconds())
        if following > AT + KEPT_FOR:
            break
        at = following
    assert pauses[:3] == [10, 60, 300]
    assert pauses == sorted(pauses)
    assert len(pauses) < 15


@given(st.text(), st.text())
def test_any_text_can_be_told(body: str, sender: str) -> None:
    told = Told(1, 2, "3000", sender, body, datetime(2026, 11, 23, tzinfo=UTC), 1)
    read = json.loads(payload(told))
    assert read["received_at"] == "2026-11-23T00:00:00+00:00"


@given(st.binary(max_size=2_000))
def test_any_answer_can_be_kept(body: bytes) -> None:
    kept = answer_text(body)
    assert "\0" not in kept
    assert len(kept) <= 200


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a@example.com", True),
        ("a.b+c@mail.example.co", True),
        ("a@b", False),
        ("a b@example.com", False),
        ("a@example.com\nBcc: x@y.z", False),
        ("", False),
        ("@example.com", False),
    ],
)
def test_an_e_mail_address_is_told_from_what_is_none(text: str, is_one: bool) -> None:
    assert is_email(text) is is_one
