"""Magfa's `send`: up to a hundred messages, each with a status of its own inside one 200."""

import json
import time
from typing import Any, NamedTuple

from sms.simulator.characters import FATES
from sms.simulator.desk import Desk
from sms.simulator.http import Reply
from sms.simulator.texts import measure, phone

MAX_ITEMS = 100
MAX_PARTS = 265
_MAX_ID = 2**64 - 1
_WRONG_LENGTH = {
    "messages": 101,
    "messageClasses": 102,
    "senders": 103,
    "udhs": 104,
    "priorities": 105,
    "encodings": 109,
    "uids": 110,
}
_ENCODINGS = (0, 2, 5, 6)
_OPENING = '{"status":0,"messages":['


class Error:
    """Magfa's own codes, as many as the simulator says."""

    RECIPIENT, SENDER, ENCODING, EMPTY, CREDIT, CREDENTIALS = 1, 2, 3, 13, 14, 18
    ID, METHOD, PARTS, JSON, NO_RECIPIENTS, TOO_MANY, NO_SENDERS = 24, 25, 30, 31, 106, 107, 108


class Refused(Exception):
    """The whole request gets this status."""

    def __init__(self, status: int) -> None:
        self.status = status


class _Item(NamedTuple):
    sender: object
    recipient: object
    text: str
    encoding: int
    uid: int


def send(desk: Desk, body: bytes) -> Reply:
    """Accept what can be accepted. Rows of recipients whose reply is to be cut stand last: there it breaks off."""
    if desk.controls.refuse_status:
        raise Refused(desk.controls.refuse_status)
    items = _items(body)
    tariffs = desk.character.tariff_mrial
    sizes = [measure(item.text, item.encoding) for item in items]
    if sum(parts * tariffs[alphabet] for parts, alphabet in sizes) > desk.credit_mrial:
        raise Refused(Error.CREDIT)
    now = time.time()
    whole: list[str] = []
    cut: list[str] = []
    for item, (parts, alphabet) in zip(items, sizes, strict=True):
        row, is_cut = _take(desk, item, parts, alphabet, now)
        (cut if is_cut else whole).append(row)
    desk.truth.write()
    before_cut = len(_OPENING) + sum(map(len, whole)) + len(whole)
    return Reply(
        (_OPENING + ",".join(whole + cut) + "]}").encode(),
        delay_seconds=desk.controls.accept_delay_ms / 1000,
        cut_at=before_cut + len(cut[0]) // 2 if cut else None,
    )


def _take(desk: Desk, item: _Item, parts: int, alphabet: str, now: float) -> tuple[str, bool]:
    """Accept or refuse one message; its row of the reply, and whether the reply breaks off in it."""
    number = phone(item.recipient)
    refusal = _refusal(item, number, parts)
    if refusal or number is None:
        recipient = json.dumps(str(item.recipient))
        return f'{{"status":{refusal},"id":null,"userId":{item.uid},"recipient":{recipient}}}', False
    # Only the first time, so that a resend is told its id.
    is_cut = FATES[number % 100].is_cut and not (item.uid and desk.truth.first_of(item.uid))
    tariff_mrial = desk.character.tariff_mrial[alphabet]
    desk.credit_mrial -= parts * tariff_mrial
    message_id = desk.accept(uid=item.uid, recipient=number, parts=parts, at=now)
    desk.texts.append((number, item.text))
    return (
        f'{{"status":0,"id":{message_id},"userId":{item.uid},"parts":{parts},'
        f'"tariff":{tariff_mrial / 1000},"alphabet":"{alphabet}","recipient":"{number}"}}'
    ), is_cut


def _refusal(item: _Item, number: int | None, parts: int) -> int:
    if number is None or FATES[number % 100].is_refused:
        return Error.RECIPIENT
    if not str(item.sender).removeprefix("+").isdecimal():
        return Error.SENDER
    if item.encoding not in _ENCODINGS:
        return Error.ENCODING
    if not item.text:
        return Error.EMPTY
    return Error.PARTS if parts > MAX_PARTS else 0


def _items(body: bytes) -> list[_Item]:
    columns = _columns(body)
    count = len(columns["recipients"])
    if not count:
        raise Refused(Error.NO_RECIPIENTS)
    if count > MAX_ITEMS:
        raise Refused(Error.TOO_MANY)
    if not columns["senders"]:
        raise Refused(Error.NO_SENDERS)
    for name in ("uids", "encodings"):
        columns[name] = columns[name] or [0] * count
    for name, status in _WRONG_LENGTH.items():
        if len(columns[name]) != count and (columns[name] or name == "messages"):
            raise Refused(status)
    if not all(type(number) is int and 0 <= number <= _MAX_ID for number in columns["uids"] + columns["encodings"]):
        raise Refused(Error.JSON)
    texts = ["" if text is None else str(text) for text in columns["messages"]]
    return [
        _Item(*values)
        for values in zip(
            columns["senders"], columns["recipients"], texts, columns["encodings"], columns["uids"], strict=True
        )
    ]


def _columns(body: bytes) -> dict[str, list[Any]]:
    """The arrays of the request by name, the missing ones empty."""
    try:
        columns = json.loads(body)
    except ValueError:
        raise Refused(Error.JSON) from None
    if not isinstance(columns, dict):
        raise Refused(Error.JSON)
    found = {name: columns.get(name) or [] for name in ("recipients", *_WRONG_LENGTH)}
    if not all(isinstance(column, list) for column in found.values()):
        raise Refused(Error.JSON)
    return found
