"""Kavenegar's REST in front of a desk: send, status, receive, account."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from sms.simulator.characters import FATES, Status
from sms.simulator.desk import Desk
from sms.simulator.http import HANG_UP, SILENCE, Reply, Request
from sms.simulator.kavenegar_send import Code, Fields, Item, Refused, record, to_many, to_pairs
from sms.simulator.texts import phone
from sms.simulator.trouble import spoilt

MAX_STATUSES = 500
_RECEIVED_AT_ONCE = 100
_FIELDS_AT_MOST = 2000
_SENDS = {"sms/send": to_many, "sms/sendarray": to_pairs}
_QUEUED_SECONDS = 1  # afterwards it says "sent to telecom"
_REFUSAL_STATUS_BELOW = 600  # their own codes are HTTP codes too, up to here
_TEXTS = {
    1: "در صف ارسال",
    5: "ارسال به مخابرات",
    6: "خطا در ارسال پیام",
    10: "رسیده به گیرنده",
    11: "نرسیده به گیرنده",
    14: "بلاک شده است",
    100: "شناسه پیامک نامعتبر است",
}
_FINAL = {
    Status.DELIVERED: 10,
    Status.UNDELIVERED: 11,
    Status.NOT_IN_NETWORK: 6,
    Status.BLOCKED: 14,
}
_QUEUED, _SENT, FAILED, _UNKNOWN = 1, 5, 6, 100
_MESSAGES = {
    200: "تایید شد",
    400: "پارامترها ناقص هستند",
    403: "کد شناسائی API-Key معتبر نمی‌باشد",
    404: "متد نامشخص است",
    405: "متد Get/Post اشتباه است",
    406: "پارامترهای اجباری خالی ارسال شده اند",
    411: "دریافت کننده نامعتبر است",
    412: "ارسال کننده نامعتبر است",
    413: "پیام خالی است و یا طول پیام بیش از حد مجاز می‌باشد",
    414: "حجم درخواست بیشتر از حد مجاز است",
    417: "تاریخ ارسال اشتباه است",
    418: "اعتبار شما کافی نمی‌باشد",
    419: "طول آرایه متن و گیرنده و فرستنده هم اندازه نیست",
}


def answer(desk: Desk, request: Request, words: Sequence[str]) -> Reply:
    """Answer one request; `words` is the path from the version on."""
    method = _method(words)
    desk.requests[method if method in _METHODS else "other"] += 1
    if desk.controls.is_cut_off:
        return HANG_UP
    try:
        if words[1:2] != [desk.character.password]:
            raise Refused(Code.KEY)
        if method not in _METHODS:
            raise Refused(Code.METHOD)
        if request.method not in ("GET", "POST") or (method == "sms/sendarray" and request.method != "POST"):
            raise Refused(Code.VERB)
        reply = _carry_out(desk, method, _fields(request))
    except Refused as refused:
        reply = _reply(refused.code, None)
    if desk.controls.is_silent:
        return SILENCE
    return spoilt(desk, reply, is_send=method in _SENDS)


def _method(words: Sequence[str]) -> str:
    """`sms/send` out of `v1/KEY/sms/send.json`, however it is capitalised."""
    name, dot, form = "/".join(words[2:]).lower().rpartition(".")
    return name if dot and form == "json" else ""


def _fields(request: Request) -> Fields:
    """Every field with all its values, from the address and the form."""
    try:
        pairs = parse_qsl(request.fields, keep_blank_values=True)
        pairs += parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_AT_MOST)
    except ValueError:
        raise Refused(Code.MISSING) from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.lower(), []).append(value)
    return found


def _carry_out(desk: Desk, method: str, fields: Fields) -> Reply:
    if method in _SENDS:
        return _send(desk, _SENDS[method](fields))
    return _reply(Code.OK, _ASK[method](desk, fields))


def _reply(code: int, entries: object, **metadata: object) -> Reply:
    """The envelope; the HTTP status is the code itself, as at the real one."""
    told = {"return": {"status": code, "message": _MESSAGES.get(code, "")}, "entries": entries, **metadata}
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return Reply(text.encode(), status=code if code < _REFUSAL_STATUS_BELOW else 400)


# Sending


def _send(desk: Desk, items: list[Item]) -> Reply:
    """Accept what can be accepted; a local id known already is told its record, and nothing is sent again.

    Rows of recipients whose reply is to be cut stand last: there it breaks off.
    """
    if desk.controls.refuse_status:
        raise Refused(desk.controls.refuse_status)
    if sum(item.cost_mrial(desk) for item in items) > desk.credit_mrial:
        raise Refused(Code.CREDIT)
    now = time.time()
    whole: list[str] = []
    cut: list[str] = []
    for item in items:
        row, is_cut = _take(desk, item, now)
        (cut if is_cut else whole).append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
    desk.truth.write()
    opening = f'{{"return":{{"status":200,"message":"{_MESSAGES[200]}"}},"entries":['
    before_cut = len((opening + "".join(row + "," for row in whole)).encode())
    return Reply(
        (opening + ",".join(whole + cut) + "]}").encode(),
        delay_seconds=desk.controls.accept_delay_ms / 1000,
        cut_at=before_cut + len(cut[0].encode()) // 2 if cut else None,
    )


def _take(desk: Desk, item: Item, now: float) -> tuple[dict[str, object], bool]:
    """Accept or refuse one message; its row of the reply, and whether the reply breaks off in it."""
    fate = FATES[item.recipient % 100]
    if fate.is_refused:
        return record(item, message_id=0, status=FAILED, text=_TEXTS[FAILED], cost_mrial=0, at=now), False
    known = desk.known(item.local_id, now)
    if known and desk.controls.duplicates == "same":
        status = _status(desk, known.id, now)
        cost_mrial = item.cost_mrial(desk)
        row = record(
            item, message_id=known.id, status=status, text=_TEXTS[status], cost_mrial=cost_mrial, at=known.accepted_at
        )
        return row, False
    desk.credit_mrial -= item.cost_mrial(desk)
    message_id = desk.accept(uid=item.local_id, recipient=item.recipient, parts=item.parts, at=now)
    desk.texts.append((item.recipient, item.text))
    row = record(
        item, message_id=message_id, status=_QUEUED, text=_TEXTS[_QUEUED], cost_mrial=item.cost_mrial(desk), at=now
    )
    return row, fate.is_cut and not known


# Asking


def _status(desk: Desk, message_id: int, now: float) -> int:
    accepted = desk.truth.by_id(message_id)
    if accepted is None or now - accepted.accepted_at > desk.character.horizon_seconds:
        return _UNKNOWN
    if now >= accepted.ready_at:
        return _FINAL[Status(FATES[accepted.recipient % 100].status)]
    if accepted.ready_at == math.inf or now - accepted.accepted_at > _QUEUED_SECONDS:
        return _SENT
    return _QUEUED


def _ids(fields: Fields, name: str) -> list[int]:
    ids = [text.strip() for value in fields.get(name, []) for text in value.split(",")]
    if not ids or ids == [""]:
        raise Refused(Code.MISSING)
    if len(ids) > MAX_STATUSES:
        raise Refused(Code.TOO_MANY)
    if not all(text.isascii() and text.isdigit() for text in ids):
        raise Refused(Code.MISSING)
    return [int(text) for text in ids]


def _statuses(desk: Desk, fields: Fields) -> list[dict[str, object]]:
    now = time.time()
    rows = ((message_id, _status(desk, message_id, now)) for message_id in _ids(fields, "messageid"))
    return [{"messageid": message_id, "status": status, "statustext": _TEXTS[status]} for message_id, status in rows]


def _local_statuses(desk: Desk, fields: Fields) -> list[dict[str, object]]:
    """By our own ids: not before the operator lets them be found, and not after half a day."""
    now = time.time()
    rows = []
    for local_id in _ids(fields, "localid"):
        found = desk.known(local_id, now)
        if found and now - found.accepted_at < desk.controls.status_unknown_seconds:
            found = None
        status = _status(desk, found.id, now) if found else _UNKNOWN
        rows.append(
            {
                "messageid": found.id if found else 0,
                "localid": str(local_id),
                "status": status,
                "statustext": _TEXTS[status],
            }
        )
    return rows


def _records(desk: Desk, fields: Fields) -> list[dict[str, object]]:
    """Whole records of messages; what was written in them the simulator does not keep."""
    now = time.time()
    rows = []
    for message_id in _ids(fields, "messageid"):
        accepted = desk.truth.by_id(message_id)
        status = _status(desk, message_id, now)
        if accepted and status != _UNKNOWN:
            rows.append(
                {
                    "messageid": message_id,
                    "message": "",
                    "status": status,
                    "statustext": _TEXTS[status],
                    "sender": "",
                    "receptor": f"0{accepted.recipient - 980_000_000_000}",
                    "date": int(accepted.accepted_at),
                    "cost": 0,
                }
            )
    return rows


def _receive(desk: Desk, fields: Fields) -> list[dict[str, object]]:
    """Texts to one line: unread ones are read by it, read ones are told again."""
    line, is_read = _one(fields, "linenumber"), _one(fields, "isread")
    if is_read not in ("0", "1"):
        raise Refused(Code.MISSING)
    source = desk.read if is_read == "1" else desk.inbox
    found = [text for text in source if text["receptor"] == line][:_RECEIVED_AT_ONCE]
    if is_read == "0":
        for text in found:
            desk.inbox.remove(text)
            desk.read.append(text)
    return found


def _one(fields: Fields, name: str) -> str:
    values = fields.get(name, [])
    if not values:
        raise Refused(Code.MISSING)
    return values[0].strip()


def _account(desk: Desk, _: Fields) -> Mapping[str, object]:
    year = 365 * 24 * 3600
    return {"remaincredit": desk.credit_mrial // 1000, "expiredate": int(time.time()) + year, "type": "master"}


_ASK = {
    "sms/status": _statuses,
    "sms/statuslocalmessageid": _local_statuses,
    "sms/select": _records,
    "sms/receive": _receive,
    "account/info": _account,
}
_METHODS = {*_SENDS, *_ASK}


def inbound(desk: Desk, sender: str, line: str, text: str) -> dict[str, object]:
    """A text from a phone to a line as `receive` will tell it."""
    number = phone(sender)
    return {
        "messageid": desk.random.randrange(10**9),
        "message": text,
        "sender": f"0{number - 980_000_000_000}" if number else sender,
        "receptor": line,
        "date": int(time.time()),
    }
