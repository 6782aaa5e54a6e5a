"""Reads reports that operators push over HTTP, however they name things: a form, an address, or JSON.

What a field is called is documented by few of them. So the usual names are understood, in any capitals; what is not
understood is no report, and never half of one.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from sms.operators.contract import Payload, Report
from sms.operators.rules import Outcome

REF_NAMES = ("messageid", "message_id", "msgid", "mid", "recid", "id")
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
