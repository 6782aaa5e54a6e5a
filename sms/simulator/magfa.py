"""Magfa's HTTP v2 in front of a desk: send, statuses, mid, messages, balance."""

import base64
import json
import math
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from sms.simulator.characters import FATES, Status
from sms.simulator.desk import Desk
from sms.simulator.http import HANG_UP, SILENCE, Reply, Request
from sms.simulator.sending import MAX_ITEMS, Error, Refused, send
from sms.simulator.trouble import spoilt

PATH = ["api", "http", "sms", "v2"]
METHODS = frozenset({"send", "statuses", "mid", "messages", "balance"})
_TEHRAN = timezone(timedelta(hours=3, minutes=30))


def answer(desk: Desk, request: Request, words: Sequence[str]) -> Reply:
    """Answer one request; `words` is what follows the version in the path."""
    method = words[0] if words else ""
    desk.requests[method if method in METHODS else "other"] += 1
    if desk.controls.is_cut_off:
        return HANG_UP
    try:
        reply = _carry_out(desk, request, method, words[1] if len(words) > 1 else "")
    except Refused as refused:
        reply = _json({"status": refused.status})
    if desk.controls.is_silent:
        return SILENCE
    return spoilt(desk, reply, is_send=method == "send")


def _carry_out(desk: Desk, request: Request, method: str, argument: str) -> Reply:
    if request.authorization != _authorization(desk):
        status = 401 if desk.controls.is_http_401 else 200
        return Reply(json.dumps({"status": Error.CREDENTIALS, "balance": None}).encode(), status=status)
    if request.method == "POST" and method == "send":
        return send(desk, request.body)
    ask = {"statuses": _statuses, "mid": _mid, "messages": _messages, "balance": _balance}.get(method)
    if request.method != "GET" or ask is None:
        raise Refused(Error.METHOD)
    return ask(desk, argument)


def _authorization(desk: Desk) -> str:
    return _basic(desk.character.username, desk.character.domain, desk.character.password)


@lru_cache(maxsize=16)
def _basic(username: str, domain: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}/{domain}:{password}".encode()).decode()


def _json(answer: dict[str, object]) -> Reply:
    return Reply(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode())


def _statuses(desk: Desk, argument: str) -> Reply:
    ids = argument.split(",")
    if len(ids) > MAX_ITEMS or not all(text.isascii() and text.isdigit() for text in ids):
        raise Refused(Error.ID)
    now = time.time()
    rows = []
    for text in ids:
        status, ready_at = _status_of(desk, int(text), now)
        date = "null" if ready_at is None else f'"{_date(int(ready_at))}"'
        rows.append(f'{{"mid":{int(text)},"status":{status},"date":{date}}}')
    return Reply(('{"status":0,"dlrs":[' + ",".join(rows) + "]}").encode())


def _status_of(desk: Desk, message_id: int, now: float) -> tuple[int, float | None]:
    accepted = desk.truth.by_id(message_id)
    if accepted is None or now - accepted.accepted_at > desk.character.horizon_seconds:
        return Status.UNKNOWN_ID, None
    if now >= accepted.ready_at:
        return FATES[accepted.recipient % 100].status, accepted.ready_at
    if accepted.ready_at == math.inf or now - accepted.accepted_at > 1:
        return Status.REACHED_TELECOM, None
    return Status.NONE_YET, None


@lru_cache(maxsize=1024)
def _date(second: int) -> str:
    return datetime.fromtimestamp(second, _TEHRAN).strftime("%Y-%m-%d %H:%M:%S")


def _mid(desk: Desk, argument: str) -> Reply:
    if not (argument.isascii() and argument.isdigit()):
        raise Refused(Error.ID)
    accepted = desk.truth.first_of(int(argument)) if int(argument) else None
    age = time.time() - accepted.accepted_at if accepted else 0.0
    is_known = accepted and desk.controls.status_unknown_seconds <= age <= desk.character.horizon_seconds
    return _json({"status": 0, "mid": accepted.id if accepted and is_known else Status.UNKNOWN_ID})


def _messages(desk: Desk, argument: str) -> Reply:
    if not (argument.isascii() and argument.isdigit()):
        raise Refused(Error.METHOD)
    count = min(int(argument), MAX_ITEMS, len(desk.inbox))
    return _json({"status": 0, "messages": [desk.inbox.popleft() for _ in range(count)]})


def _balance(desk: Desk, _: str) -> Reply:
    return _json({"status": 0, "balance": desk.credit_mrial // 1000})


def inbound(sender: str, recipient: str, text: str) -> dict[str, object]:
    """A text from a phone to a line as `messages` will tell it."""
    return {
        "body": text,
        "senderNumber": sender,
        "recipientNumber": recipient,
        "date": _date(int(time.time())),
    }
