"""What the simulated Kavenegar says, asked at a desk in this process, and over its wire."""

import json
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from sms.simulator import kavenegar
from sms.simulator.characters import CHARACTERS
from sms.simulator.controls import changed
from sms.simulator.desk import Desk
from sms.simulator.http import HANG_UP, SILENCE, Reply, Request
from tests.simulator.running import RunningSimulator

TEXT = "سلام"
HOUR = 3600


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(CHARACTERS["5000"], truth_dir=tmp_path, seed=1)
    desk.controls = changed(desk.controls, {"accept_delay_ms": 0, "report_delay_seconds": [0, 0]})
    yield desk
    desk.truth.close()


def ask(
    desk: Desk, method: str, fields: dict[str, Any] | None = None, *, verb: str = "POST", key: str = "sample-5000"
) -> Reply:
    form = urlencode(fields or {}, doseq=True)
    body, query = (b"", form) if verb == "GET" else (form.encode(), "")
    path = f"v1/{key}/{method}"
    return kavenegar.answer(desk, Request(verb, path, {}, "", body, False, query), path.split("/"))


def told(desk: Desk, method: str, fields: dict[str, Any] | None = None, **more: Any) -> Any:
    answer = json.loads(ask(desk, method, fields, **more).body)
    assert answer["return"]["status"] == 200, answer
    return answer["entries"]


def code(desk: Desk, method: str, fields: dict[str, Any] | None = None, **more: Any) -> int:
    reply = ask(desk, method, fields, **more)
    status = json.loads(reply.body)["return"]["status"]
    assert reply.status == status
    return int(status)


def pairs(*receptors: str, ids: list[int] | None = None, texts: list[str] | None = None) -> dict[str, str]:
    count = len(receptors)
    columns: dict[str, list[Any]] = {
        "receptor": list(receptors),
        "sender": ["50004505"] * count,
        "message": texts or [TEXT] * count,
    }
    if ids is not None:
        columns["localmessageids"] = ids
    return {name: json.dumps(values) for name, values in columns.items()}


def knobs(desk: Desk, **wanted: object) -> None:
    desk.controls = changed(desk.controls, wanted)


def age(desk: Desk, seconds: float) -> None:
    for row in range(len(desk.truth)):
        desk.truth._accepted_at[row] -= seconds
        desk.truth._ready_at[row] -= seconds


@pytest.mark.parametrize(
    ("last_two", "status"),
    [*[(n, 10) for n in (0, 57, 89, 99)], *[(n, 14) for n in range(90, 94)], (94, 6), (95, 6), (96, 11), (98, 5)],
)
def test_the_last_two_digits_choose_the_status(desk: Desk, last_two: int, status: int) -> None:
    (sent,) = told(desk, "sms/sendarray.json", pairs(f"091200000{last_two:02}", ids=[7]))
    age(desk, 2)
    (row,) = told(desk, "sms/status.json", {"messageid": sent["messageid"]})
    assert (row["messageid"], row["status"]) == (sent["messageid"], status)
    assert row["statustext"]


def test_97_is_refused_in_its_row_and_never_accepted(desk: Desk) -> None:
    row, _ = told(desk, "sms/sendarray.json", pairs("09120000097", "09120000001", ids=[1, 2]))
    assert (row["messageid"], row["status"], row["cost"]) == (0, 6, 0)
    assert [accepted.uid for accepted in desk.truth.rows()] == [2]


def test_a_record_tells_what_was_sent(desk: Desk) -> None:
    before = told(desk, "account/info.json")["remaincredit"]
    (row,) = told(desk, "sms/sendarray.json", pairs("+989120000001", texts=["س" * 71]))
    assert row["receptor"] == "09120000001"
    assert (row["sender"], row["message"], row["status"]) == ("50004505", "س" * 71, 1)
    assert row["cost"] == 1800
    assert before - told(desk, "account/info.json")["remaincredit"] == row["cost"]
    (record,) = told(desk, "sms/select.json", {"messageid": row["messageid"]})
    assert record["receptor"] == "09120000001"


@pytest.mark.parametrize(
    "fields",
    [
        {"receptor": "09120000001,09120000002", "message": "[سلام]", "localid": "1,2", "sender": "50004505"},
        {"receptor": ["09120000001", "09120000002"], "message": "[سلام]", "localid": ["1", "2"]},
    ],
)
@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_one_text_to_many(desk: Desk, fields: dict[str, Any], verb: str) -> None:
    sent = told(desk, "sms/send.json", fields, verb=verb)
    assert [(row["receptor"], row["message"]) for row in sent] == [
        ("09120000001", "[سلام]"),
        ("09120000002", "[سلام]"),
    ]
    assert [row.uid for row in desk.truth.rows()] == [1, 2]


def test_repeated_fields_are_as_good_as_arrays(desk: Desk) -> None:
    fields = {"receptor": ["09120000001", "09120000002"], "sender": ["5000", "5001"], "message": ["a", "b"]}
    sent = told(desk, "SMS/SendArray.JSON", fields)
    assert [(row["sender"], row["message"]) for row in sent] == [("5000", "a"), ("5001", "b")]


def test_a_local_id_is_sent_once(desk: Desk) -> None:
    (first,) = told(desk, "sms/sendarray.json", pairs("09120000001", ids=[7]))
    knobs(desk, report_delay_seconds=[60, 60])
    before = desk.credit_mrial
    again, other = told(desk, "sms/sendarray.json", pairs("09120000001", "09120000002", ids=[7, 8]))
    assert (again["messageid"], again["status"], other["status"]) == (first["messageid"], 10, 1)
    assert desk.truth.summary() == {"accepted": 2, "distinct": 2, "duplicates": 0}
    assert before - desk.credit_mrial == other["cost"] * 1000


def test_a_local_id_is_forgotten_after_half_a_day(desk: Desk) -> None:
    told(desk, "sms/sendarray.json", pairs("09120000001", ids=[7]))
    age(desk, 13 * HOUR)
    assert told(desk, "sms/statuslocalmessageid.json", {"localid": "7"})[0]["status"] == 100
    told(desk, "sms/sendarray.json", pairs("09120000001", ids=[7]))
    assert desk.truth.duplicates() == {7: 2}


def test_it_can_be_told_to_forget_at_once(desk: Desk) -> None:
    knobs(desk, duplicates="accept")
    for _ in range(2):
        told(desk, "sms/sendarray.json", pairs("09120000001", ids=[7]))
    assert desk.truth.duplicates() == {7: 2}


def test_a_message_is_found_by_our_id(desk: Desk) -> None:
    (sent,) = told(desk, "sms/sendarray.json", pairs("09120000001", ids=[7]))
    known, unknown = told(desk, "sms/statuslocalmessageid.json", {"localid": "7,8"})
    assert (known["messageid"], known["localid"], known["status"]) == (sent["messageid"], "7", 10)
    assert (unknown["messageid"], unknown["localid"], unknown["status"]) == (0, "8", 100)
    knobs(desk, status_unknown_seconds=60)
    assert told(desk, "sms/statuslocalmessageid.json", {"localid": "7"})[0]["status"] == 100
    age(desk, 61)
    assert told(desk, "sms/statuslocalmessageid.json", {"localid": "7"})[0]["status"] == 10


def test_a_status_is_known_for_two_days(desk: Desk) -> None:
    (sent,) = told(desk, "sms/sendarray.json", pairs("09120000001"))
    age(desk, 47 * HOUR)
    assert told(desk, "sms/status.json", {"messageid": sent["messageid"]})[0]["status"] == 10
    age(desk, 2 * HOUR)
    assert told(desk, "sms/status.json", {"messageid": sent["messageid"]})[0]["status"] == 100
    assert told(desk, "sms/status.json", {"messageid": 12})[0]["status"] == 100


def test_a_status_before_its_time(desk: Desk) -> None:
    knobs(desk, report_delay_seconds=[60, 60])
    (sent,) = told(desk, "sms/sendarray.json", pairs("09120000001"))
    assert told(desk, "sms/status.json", {"messageid": sent["messageid"]})[0]["status"] == 1
    age(desk, 5)
    assert told(desk, "sms/status.json", {"messageid": sent["messageid"]})[0]["status"] == 5


@pytest.mark.parametrize(
    ("method", "fields", "expected"),
    [
        ("sms/sendarray.json", {}, 400),
        ("sms/sendarray.json", pairs(), 406),
        ("sms/sendarray.json", pairs(*["09120000001"] * 201), 414),
        ("sms/sendarray.json", pairs("09120000001", ids=[1, 2]), 419),
        ("sms/sendarray.json", pairs("09120000001", texts=["a", "b"]), 419),
        ("sms/sendarray.json", pairs("09120000001", "12"), 411),
        ("sms/sendarray.json", pairs("09120000001", texts=[""]), 413),
        ("sms/sendarray.json", pairs("09120000001", texts=["a" * 901]), 413),
        ("sms/sendarray.json", pairs("09120000001") | {"sender": '["Bank"]'}, 412),
        ("sms/sendarray.json", pairs("09120000001") | {"localmessageids": '["x"]'}, 400),
        ("sms/sendarray.json", pairs("09120000001") | {"date": "4000000000"}, 417),
        ("sms/send.json", {"receptor": "09120000001"}, 400),
        ("sms/send.json", {"receptor": "", "message": "a"}, 406),
        ("sms/status.json", {}, 400),
        ("sms/status.json", {"messageid": "a"}, 400),
        ("sms/status.json", {"messageid": ",".join(["1"] * 501)}, 414),
        ("sms/receive.json", {"linenumber": "5000"}, 400),
        ("sms/nothing.json", {}, 404),
        ("sms/send.xml", {}, 404),
    ],
)
def test_a_request_that_does_not_fit_is_refused_whole(
    desk: Desk, method: str, fields: dict[str, Any], expected: int
) -> None:
    assert code(desk, method, fields) == expected
    assert len(desk.truth) == 0


def test_a_wrong_key_a_wrong_verb_and_an_empty_account(desk: Desk) -> None:
    assert code(desk, "account/info.json", key="stolen") == 403
    assert code(desk, "sms/sendarray.json", pairs("09120000001"), verb="GET") == 405
    assert code(desk, "account/info.json", verb="DELETE") == 405
    desk.credit_mrial = 1
    assert code(desk, "sms/sendarray.json", pairs("09120000001")) == 418
    knobs(desk, refuse_status=409)
    assert code(desk, "sms/sendarray.json", pairs("09120000001")) == 409


def test_99_is_cut_at_the_end_of_the_list_and_only_once(desk: Desk) -> None:
    fields = pairs("09120000099", "09120000001", ids=[1, 2])
    reply = ask(desk, "sms/sendarray.json", fields)
    assert reply.cut_at is not None
    sent = reply.body[: reply.cut_at].decode(errors="ignore")
    assert "09120000001" in sent
    assert '"receptor":"09120000099"' not in sent
    assert len(desk.truth) == 2
    assert ask(desk, "sms/sendarray.json", fields).cut_at is None
    assert len(desk.truth) == 2


def test_inbound_texts_are_unread_once(desk: Desk) -> None:
    for line, text in (("5000", "۱"), ("5001", "۲"), ("5000", "۳")):
        desk.inbox.append(kavenegar.inbound(desk, "989120000001", line, text))
    unread, read = ({"linenumber": "5000", "isread": flag} for flag in "01")
    assert told(desk, "sms/receive.json", read) == []
    got = told(desk, "sms/receive.json", unread)
    assert [(row["message"], row["sender"], row["receptor"]) for row in got] == [
        ("۱", "09120000001", "5000"),
        ("۳", "09120000001", "5000"),
    ]
    assert told(desk, "sms/receive.json", unread) == []
    assert told(desk, "sms/receive.json", read) == got
    assert len(desk.inbox) == 1


def test_cut_off_silent_late_and_cut(desk: Desk) -> None:
    fields = pairs("09120000001")
    knobs(desk, late_share=1, late_seconds=9)
    assert ask(desk, "sms/sendarray.json", fields).delay_seconds == 9
    assert ask(desk, "account/info.json").delay_seconds == 0
    knobs(desk, cut_reply_share=1)
    assert ask(desk, "sms/sendarray.json", fields).cut_at == 0
    knobs(desk, is_silent=True)
    assert ask(desk, "sms/sendarray.json", fields) is SILENCE
    assert len(desk.truth) == 3
    knobs(desk, is_cut_off=True)
    assert ask(desk, "sms/sendarray.json", fields) is HANG_UP
    assert len(desk.truth) == 3


@pytest.mark.parametrize(
    ("kind", "is_seen"),
    [
        ("error_500", lambda reply, _: reply.status == 500),
        ("truncated", lambda reply, _: not reply.body.endswith(b"}")),
        ("wrong_count", lambda _, rows: [row["receptor"][-1] for row in rows] == ["1", "2"]),
        ("reordered", lambda _, rows: [row["receptor"][-1] for row in rows] == ["3", "2", "1"]),
        ("other_ids", lambda _, rows: all(row["receptor"].startswith("0900") for row in rows)),
    ],
)
def test_garbage(desk: Desk, kind: str, is_seen: Callable[[Reply, list[dict[str, str]]], bool]) -> None:
    knobs(desk, garbage_share=1, garbage_kinds=[kind])
    reply = ask(desk, "sms/sendarray.json", pairs("09120000001", "09120000002", "09120000003", ids=[1, 2, 3]))
    is_json = kind not in {"error_500", "truncated"}
    assert is_seen(reply, json.loads(reply.body)["entries"] if is_json else [])
    assert len(desk.truth) == 3


# On the wire


def test_over_the_wire_with_its_own_truth(simulator: RunningSimulator) -> None:
    connection = HTTPConnection("127.0.0.1", simulator.port, timeout=10)
    path = "/5000/v1/sample-5000/sms"
    connection.request("POST", f"{path}/sendarray.json", urlencode(pairs("09120000001", ids=[7])))
    (sent,) = json.loads(connection.getresponse().read())["entries"]
    connection.request("GET", f"{path}/status.json?messageid={sent['messageid']}")
    assert json.loads(connection.getresponse().read())["entries"][0]["status"] == 10
    connection.request("POST", f"{path}/sendarray.json", urlencode(pairs("12")))
    assert connection.getresponse().status == 411
    connection.close()
    assert simulator.truth("summary")["5000"]["requests"] == {"sms/sendarray": 2, "sms/status": 1}
    connection.request("POST", f"{path}/sendarray.json", urlencode(pairs("09120000099", ids=[8])))
    with pytest.raises(IncompleteRead):
        connection.getresponse().read()
    connection.close()
    assert simulator.truth("?operator=5000&uid=8")["5000"][0]["recipient"] == 989120000099


def test_a_text_to_a_line_over_the_control(simulator: RunningSimulator) -> None:
    simulator.call("/control/5000/inbound", b'{"from": "989120000001", "to": "50004505", "body": "hi"}')
    got = simulator.call("/5000/v1/sample-5000/sms/receive.json?linenumber=50004505&isread=0")
    assert got["entries"][0]["message"] == "hi"
