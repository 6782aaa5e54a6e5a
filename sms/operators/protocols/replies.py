"""Reads JSON answers over HTTP, whole or torn: every row that arrived whole can be used, nothing is guessed."""

import json
from collections.abc import Mapping
from decimal import Decimal

from sms.operators.protocols.http import HttpReply

Row = Mapping[str, object]

_DECODER = json.JSONDecoder(parse_float=Decimal)
_MRIAL = 1000
_MAX_RIAL = 10**15


def whole_of(reply: HttpReply) -> Row | None:
    """The answer as one JSON object, or None when it is not one."""
    if not reply.is_whole:
        return None
    try:
        answer = _DECODER.decode(reply.body.decode())
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def rows_of(answer: Row, name: str) -> list[Row]:
    """The objects of one list of an answer."""
    rows = answer.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def torn_rows(body: bytes, name: str) -> list[Row]:
    """The whole objects at the beginning of the list called `name`, in an answer that broke off."""
    text = body.decode(errors="replace")
    start = text.find("[", text.find(f'"{name}"'))
    rows: list[Row] = []
    while start >= 0:
        start += 1
        try:
            row, start = _DECODER.raw_decode(text, _skip_space(text, start))
        except (ValueError, RecursionError):
            break
        if isinstance(row, dict):
            rows.append(row)
        start = _skip_space(text, start)
        if text[start : start + 1] != ",":
            break
    return rows


def _skip_space(text: str, start: int) -> int:
    while text[start : start + 1].isspace():
        start += 1
    return start


def mrial_of(rial: object) -> int | None:
    """An amount told in rial, perhaps with a fraction; None for anything but a credible number."""
    if isinstance(rial, bool) or not isinstance(rial, int | Decimal) or not -_MAX_RIAL < rial < _MAX_RIAL:
        return None
    return int(rial * _MRIAL)
