"""What the simulated Magfa says, asked at a desk in this process."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from sms.simulator import magfa
from sms.simulator.characters import CHARACTERS, Fate, report_delay
from sms.simulator.controls import changed
from sms.simulator.desk import Desk
from sms.simulator.http import HANG_UP, SILENCE, Reply, Request
from tests.simulator.running import authorization

TEXT = "سلام"


def ask(desk: Desk, path: str, body: object = None, *, signed: bool = True) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sign = authorization(desk.character.code) if signed else "Basic bm8="
    request = Request("GET" if body is None else "POST", path, {}, sign, raw, False)
    return magfa.answer(desk, request, path.split("/"))


def told(desk: Desk, path: str, body: object = None) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(ask(desk, path, body).body)
    return answer


def columns(*recipients: object, **more: object) -> dict[str, object]:
    count = len(recipients)
    return {"senders": ["30001"] * count, "recipients": list(recipients), "messages": [TEXT] * count, **more}


def knobs(desk: Desk, **wanted: object) -> None:
    desk.controls = changed(desk.controls, wanted)


@pytest.mark.parametrize(
    ("last_two", "report"),
    [*[(n, 1) for n in (0, 57, 89)], *[(n, 27) for n in range(90, 94)], (94, 16), (95, 16), (96, 2), (98, 8), (99, 1)],
)
def test_the_last_two_digits_choose_the_report(desk: Desk, last_two: int, report: int) -> None:
    (row,) = told(desk, "send", columns(f"9891200000{last_two:02}", uids=[7]))["messages"]
    desk.truth._accepted_at[0] -= 2  # a moment later
    (dlr,) = told(desk, f"statuses/{row['id']}")["dlrs"]
    assert (row["status"], dlr["mid"], dlr["status"]) == (0, row["id"], report)
    assert (dlr["date"] is None) == (report == 8)


def test_97_is_refused_at_submit_and_never_accepted(desk: Desk) -> None:
    (row,) = told(desk, "send", columns("989120000097", uids=[7]))["messages"]
    assert (row["status"], row["id"], row["userId"]) == (1, None, 7)
    assert len(desk.truth) == 0


def test_a_report_that_is_not_due_says_nothing_yet_then_reached_telecom(desk: Desk) -> None:
    knobs(desk, report_delay_seconds=[1000, 1000])
    (row,) = told(desk, "send", columns("989120000001"))["messages"]
    assert told(desk, f"statuses/{row['id']}")["dlrs"][0]["status"] == 0
    desk.truth._accepted_at[0] -= 5
    assert told(desk, f"statuses/{row['id']}")["dlrs"][0]["status"] == 8


def test_an_id_older_than_a_day_or_nobodys_is_unknown(desk: Desk) -> None:
    (row,) = told(desk, "send", columns("989120000001", uids=[7]))["messages"]
    desk.truth._accepted_at[0] -= 25 * 3600
    statuses = [dlr["status"] for dlr in told(desk, f"statuses/{row['id']},12")["dlrs"]]
    assert statuses == [-1, -1]
    assert told(desk, "mid/7")["mid"] == -1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 31),
        ([1], 31),
        (columns("989120000001", uids=["a"]), 31),
        (columns(), 106),
        (columns(*["989120000001"] * 101), 107),
        ({**columns("989120000001"), "senders": []}, 108),
        ({**columns("989120000001"), "messages": []}, 101),
        ({**columns("989120000001"), "messages": [TEXT, TEXT]}, 101),
        ({**columns("989120000001"), "senders": ["30001", "30001"]}, 103),
        (columns("989120000001", messageClasses=[1, 2]), 102),
        (columns("989120000001", udhs=["", ""]), 104),
        (columns("989120000001", priorities=[1, 2]), 105),
        (columns("989120000001", encodings=[0, 0]), 109),
        (columns("989120000001", uids=[1, 2]), 110),
    ],
)
def test_a_request_that_does_not_fit_is_refused_whole(desk: Desk, body: object, status: int) -> None:
    assert told(desk, "send", body) == {"status": status}
    assert len(desk.truth) == 0


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"recipients": ["12"]}, 1),
        ({"recipients": [None]}, 1),
        ({"senders": ["Bank"]}, 2),
        ({"encodings": [7]}, 3),
        ({"messages": [""]}, 13),
        ({"messages": ["س" * 67 * 266]}, 30),
    ],
)
def test_one_bad_recipient_has_its_own_status(desk: Desk, change: dict[str, object], status: int) -> None:
    (row,) = told(desk, "send", {**columns("989120000001"), **change})["messages"]
    assert (row["status"], row["id"]) == (status, None)


@pytest.mark.parametrize("spelling", ["989120000001", "+989120000001", "00989120000001", "09120000001", 9120000001])
def test_every_spelling_of_a_number_is_the_same_number(desk: Desk, spelling: object) -> None:
    (row,) = told(desk, "send", columns(spelling))["messages"]
    assert row["recipient"] == "989120000001"


@pytest.mark.parametrize(
    ("text", "parts", "alphabet"),
    [
        ("a" * 160, 1, "DEFAULT"),
        ("a" * 159 + "€", 2, "DEFAULT"),
        ("س" * 70, 1, "UCS2"),
        ("س" * 71, 2, "UCS2"),
        ("😀" * 35, 1, "UCS2"),
    ],
)
def test_parts_and_tariff_are_told_and_taken_from_the_balance(desk: Desk, text: str, parts: int, alphabet: str) -> None:
    before = told(desk, "balance")["balance"]
    (row,) = told(desk, "send", {**columns("989120000001"), "messages": [text]})["messages"]
    assert (row["parts"], row["alphabet"]) == (parts, alphabet)
    assert before - told(desk, "balance")["balance"] == row["parts"] * row["tariff"]


def test_an_empty_account_accepts_nothing(desk: Desk) -> None:
    desk.credit_mrial = 100
    assert told(desk, "send", columns("989120000001")) == {"status": 14}


@pytest.mark.parametrize(("is_http_401", "http_status"), [(False, 200), (True, 401)])
def test_wrong_credentials(desk: Desk, is_http_401: bool, http_status: int) -> None:
    knobs(desk, is_http_401=is_http_401)
    reply = ask(desk, "balance", signed=False)
    assert (reply.status, json.loads(reply.body)) == (http_status, {"status": 18, "balance": None})


@pytest.mark.parametrize("path", ["nothing", "statuses/a", "mid/x", "messages/", "statuses/" + ",".join(["1"] * 101)])
def test_questions_that_make_no_sense(desk: Desk, path: str) -> None:
    assert told(desk, path)["status"] in (24, 25)


def test_99_is_cut_at_the_end_of_the_list_and_only_once(desk: Desk) -> None:
    body = columns("989120000099", "989120000001", "989120000199", "989120000002", uids=[1, 2, 3, 4])
    reply = ask(desk, "send", body)
    assert reply.cut_at is not None
    sent = reply.body[: reply.cut_at].decode()
    whole = [json.loads(row + "}") for row in sent.partition("[")[2].split("}")[:-1] for row in [row.lstrip(",")]]
    assert [row["userId"] for row in whole] == [2, 4]
    assert '"userId":3' not in sent
    assert len(desk.truth) == 4

    again = ask(desk, "send", body)
    assert again.cut_at is None
    assert desk.truth.duplicates() == {1: 2, 2: 2, 3: 2, 4: 2}


def test_only_99s_are_cut_right_away(desk: Desk) -> None:
    reply = ask(desk, "send", columns("989120000099", "989120000199", uids=[1, 2]))
    assert reply.cut_at is not None
    assert reply.body[: reply.cut_at].count(b"}") == 0
    assert len(desk.truth) == 2


def test_a_repeated_uid_can_be_told_its_first_id(desk: Desk) -> None:
    knobs(desk, duplicates="same")
    first, second = (told(desk, "send", columns("989120000001", uids=[5]))["messages"][0] for _ in range(2))
    assert first["id"] == second["id"] == told(desk, "mid/5")["mid"]
    assert desk.truth.summary() == {"accepted": 1, "distinct": 1, "duplicates": 0}


def test_mid_may_know_a_message_only_later(desk: Desk) -> None:
    (row,) = told(desk, "send", columns("989120000001", uids=[5]))["messages"]
    knobs(desk, status_unknown_seconds=60)
    assert told(desk, "mid/5")["mid"] == -1
    desk.truth._accepted_at[0] -= 61
    assert told(desk, "mid/5")["mid"] == row["id"]
    assert told(desk, "mid/6")["mid"] == -1


def test_inbound_texts_are_given_once(desk: Desk) -> None:
    desk.inbox.extend(magfa.inbound("989120000001", "30001", text) for text in ("۱", "2"))
    assert [row["body"] for row in told(desk, "messages/1")["messages"]] == ["۱"]
    assert [row["body"] for row in told(desk, "messages/100")["messages"]] == ["2"]
    assert told(desk, "messages/100")["messages"] == []


def test_cut_off_silent_and_busy(desk: Desk) -> None:
    knobs(desk, refuse_status=15)
    assert told(desk, "send", columns("989120000001")) == {"status": 15}
    knobs(desk, refuse_status=0, is_silent=True)
    assert ask(desk, "send", columns("989120000001")) is SILENCE
    assert len(desk.truth) == 1
    knobs(desk, is_cut_off=True)
    assert ask(desk, "send", columns("989120000001")) is HANG_UP
    assert len(desk.truth) == 1


def test_faults_happen_to_the_share_asked_for_and_after_accepting(desk: Desk) -> None:
    knobs(desk, cut_reply_share=0.5)
    cuts = sum(ask(desk, "send", columns("989120000001")).cut_at == 0 for _ in range(400))
    assert 150 < cuts < 250
    assert len(desk.truth) == 400


@pytest.mark.parametrize(
    ("kind", "is_seen"),
    [
        ("error_500", lambda reply, _: reply.status == 500),
        ("html", lambda reply, _: reply.body.startswith(b"<html>")),
        ("empty", lambda reply, _: reply.body == b""),
        ("redirect", lambda reply, _: reply.status == 302),
        ("huge", lambda reply, _: len(reply.body) > 3_000_000),
        ("wrong_charset", lambda reply, _: reply.body.decode("utf-16").startswith("{")),
        ("truncated", lambda reply, _: not reply.body.endswith(b"}")),
        ("wrong_count", lambda _, rows: [row["userId"] for row in rows] == [1, 2]),
        ("reordered", lambda _, rows: [row["userId"] for row in rows] == [3, 2, 1]),
        ("other_ids", lambda _, rows: all(row["userId"] > 10**12 for row in rows)),
        ("shifted_ids", lambda _, rows: [row["userId"] for row in rows] == [2, 3, 1]),
    ],
)
def test_each_kind_of_garbage(desk: Desk, kind: str, is_seen: Callable[[Reply, list[dict[str, int]]], bool]) -> None:
    knobs(desk, garbage_share=1, garbage_kinds=[kind])
    reply = ask(desk, "send", columns("989120000001", "989120000002", "989120000003", uids=[1, 2, 3]))
    try:
        rows = json.loads(reply.body).get("messages", [])
    except ValueError:
        rows = []
    assert is_seen(reply, rows)
    assert len(desk.truth) == 3


def test_report_delays_depend_on_seed_and_recipient_only() -> None:
    fate, patient = Fate("delivered", 1), CHARACTERS["2000"]

    def delays(seed: int) -> list[float]:
        return [
            report_delay(fate, 989120000000 + n, between=(15, 40), character=patient, seed=seed) for n in range(1000)
        ]

    assert delays(1) == delays(1) != delays(2)
    assert all(15 <= delay <= 40 for delay in delays(1))
    assert max(delays(1)) - min(delays(1)) > 20


def test_2000_tells_not_in_network_at_once() -> None:
    not_in_network = Fate("not in network", 16)
    assert report_delay(not_in_network, 1, between=(15, 40), character=CHARACTERS["2000"], seed=1) == 0
    assert report_delay(not_in_network, 1, between=(15, 40), character=CHARACTERS["3000"], seed=1) >= 15
