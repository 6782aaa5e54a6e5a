"""Reads reports and texts that operators push over HTTP, however they name things: a form, an address, or JSON.

What a field is called is documented by few of them. So the usual names are understood, in any capitals; what is not
understood is no report, and never half of one.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from sms.operators.contract import InboundText, Payload, RawInbound, Report
from sms.operators.rules import Outcome

REF_NAMES = ("messageid", "message_id", "msgid", "mid", "recid", "id")
SENDER_NAMES = ("from", "sender", "sendernumber", "mobile", "originator", "src", "source")
LINE_NAMES = ("to", "receptor", "recipientnumber", "recipient", "line", "linenumber", "dest", "destination")
BODY_NAMES = ("text", "message", "body", "msg", "content")
DATE_NAMES = ("date", "time", "datetime", "sentat", "sent_at", "timestamp")
_LATEST = 4_102_444_800  # the year 2100
CODE_NAMES = ("status", "state", "delivery", "deliverystatus", "code")
_REF = re.compile(r"[!-~]{1,100}")  # visible ASCII
_CODE = re.compile(r"[ -~]{1,40}")
_NUMBER = re.compile(r"-?[0-9]{1,9}")

_Pair = tuple[object, object]  # reference and code, as they came


def reports_of(payload: Payload, outcomes: Mapping[int, Outcome | None]) -> list[Report]:
    """The reports in what was pushed; a code that stands not in `outcomes` is kept and decides nothing."""
    pairs = _of_json(payload) if isinstance(payload, bytes) else _of_fields(payload)
    reports = (_report(ref, code, outcomes) for ref, code in pairs)
    return [report for report in reports if report is not None]


def packed(payload: Payload) -> bytes:
    """What was pushed, as it is kept: a body as it came, fields as JSON."""
    return (
        payload
        if isinstance(payload, bytes)
        else json.dumps({name: list(given) for name, given in payload.items()}).encode()
    )


def texts_of(raw: RawInbound) -> list[InboundText]:
    """The texts in what was pushed to the address of a line: a sender and a text are needed; whatever they say of the
    line, the address says it better."""
    try:
        told = json.loads(raw.content)
    except (ValueError, RecursionError):
        return []
    texts = []
    for row in told if isinstance(told, list) else _rows(told):
        if isinstance(row, dict):
            named = {str(name).lower(): _one(value) for name, value in row.items()}
            sender, body = _text(_first(named, SENDER_NAMES)), _first(named, BODY_NAMES)
            if sender and isinstance(body, str):
                line = raw.line_number or _text(_first(named, LINE_NAMES))
                ref = _text(_first(named, REF_NAMES))[:100]
                texts.append(InboundText(sender[:100], line, body, _moment(_first(named, DATE_NAMES)), ref))
    return texts


def _one(value: object) -> object:
    """Fields come as lists of one."""
    return value[0] if isinstance(value, list) and value and not isinstance(value[0], dict) else value


def _moment(value: object) -> datetime | None:
    text = _text(value)
    try:
        if text.isascii() and text.isdigit():
            return datetime.fromtimestamp(int(text), UTC) if int(text) < _LATEST else None
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _of_fields(fields: Mapping[str, Sequence[str]]) -> Iterator[_Pair]:
    """One report, or several whose references and codes come in lists of one length."""
    named = {name.lower(): values for name, values in fields.items()}
    refs, codes = _listed(_first(named, REF_NAMES)), _listed(_first(named, CODE_NAMES))
    if len(refs) == len(codes):
        yield from zip(refs, codes, strict=True)


def _listed(values: object) -> list[str]:
    texts = values if isinstance(values, list | tuple) else []
    return texts[0].split(",") if len(texts) == 1 else list(texts)


def _of_json(body: bytes) -> Iterator[_Pair]:
    """One object, a list of them, or an object with a list of them in it."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return
    for row in told if isinstance(told, list) else _rows(told):
        if isinstance(row, dict):
            named = {str(name).lower(): value for name, value in row.items()}
            yield _first(named, REF_NAMES), _first(named, CODE_NAMES)


def _rows(told: object) -> list[object]:
    inner = told.values() if isinstance(told, dict) else ()
    lists = [value for value in inner if isinstance(value, list) and value and isinstance(value[0], dict)]
    return lists[0] if len(lists) == 1 else [told]


def _first(named: Mapping[str, object], names: Sequence[str]) -> object:
    return next((named[name] for name in names if name in named), None)


def _report(ref: object, code: object, outcomes: Mapping[int, Outcome | None]) -> Report | None:
    ref_text, code_text = _text(ref), _text(code)
    if not _REF.fullmatch(ref_text) or not _CODE.fullmatch(code_text):
        return None
    number = int(code_text) if _NUMBER.fullmatch(code_text) else None
    is_known = number in outcomes
    outcome = outcomes[number] if number is not None and is_known else None
    return Report(ref_text, code_text, outcome, is_known=is_known)


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    try:
        return str(value).strip()
    except ValueError:  # a number of thousands of digits
        return ""
