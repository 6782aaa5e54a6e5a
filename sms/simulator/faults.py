"""Garbage an operator may answer with after it has done what it was asked."""

import json
from collections.abc import Callable

from sms.simulator.http import Reply

HUGE_BYTES = 3 * 1024 * 1024
FOREIGN = 7_000_000_000_000_000  # added to an id, it is nobody's


def _rows(body: bytes) -> tuple[dict[str, object], list[dict[str, object]]]:
    answer = json.loads(body)
    return answer, next((value for value in answer.values() if isinstance(value, list)), [])


def _with_rows(change: Callable[[list[dict[str, object]]], None]) -> Callable[[Reply], Reply]:
    def garbage(reply: Reply) -> Reply:
        answer, rows = _rows(reply.body)
        change(rows)
        return Reply(json.dumps(answer).encode())

    return garbage


def _lose_every_third(rows: list[dict[str, object]]) -> None:
    del rows[2::3]


def _give_foreign_ids(rows: list[dict[str, object]]) -> None:
    for row in rows:
        for name in {"userId", "mid", "messageid", "localid"} & row.keys():
            row[name] = int(str(row[name] or 0)) + FOREIGN
        if "receptor" in row:  # where rows are told apart by it
            row["receptor"] = f"0900{str(row['receptor'])[-7:]}"


def _shift_ids(rows: list[dict[str, object]]) -> None:
    """Every row carries its neighbour's userId, as a confused operator would."""
    ids = [row.get("userId") for row in rows]
    for row, user_id in zip(rows, ids[1:] + ids[:1], strict=True):
        row["userId"] = user_id


GARBAGE: dict[str, Callable[[Reply], Reply]] = {
    "error_500": lambda _: Reply(b'{"error":"internal"}', status=500),
    "html": lambda _: Reply(b"<html><body><h1>Service is being updated</h1></body></html>", content_type="text/html"),
    "empty": lambda _: Reply(b""),
    "truncated": lambda reply: Reply(reply.body[: len(reply.body) * 2 // 3]),
    "wrong_charset": lambda reply: Reply(reply.body.decode().encode("utf-16")),
    "redirect": lambda _: Reply(b"", status=302, location="/elsewhere"),
    "huge": lambda reply: Reply(b" " * HUGE_BYTES + reply.body),
    "wrong_count": _with_rows(_lose_every_third),
    "reordered": _with_rows(list.reverse),
    "other_ids": _with_rows(_give_foreign_ids),
    "shifted_ids": _with_rows(_shift_ids),
}
