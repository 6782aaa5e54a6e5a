"""The simulator as a process: its wire, its controls, its restarts, and Magfa's own client against it."""

import json
import socket
import subprocess
import sys
import warnings
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from deploy.programs import simulator_command
from tests.simulator.running import ROOT, RunningSimulator, authorization

V2 = "/3000/api/http/sms/v2"
HEAD = f"Host: x\r\nAuthorization: {authorization('3000')}\r\n"


def send_request(*recipients: str, uids: list[int] | None = None) -> bytes:
    count = len(recipients)
    columns = {"senders": ["30001"] * count, "recipients": recipients, "messages": ["hi"] * count}
    body = json.dumps(columns | ({"uids": uids} if uids else {}))
    return f"POST {V2}/send HTTP/1.1\r\n{HEAD}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def wire(simulator: RunningSimulator, sent: bytes, *, until: bytes = b"") -> bytes:
    """What comes back for these bytes, until the far side closes or `until` is seen."""
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=10) as connection:
        connection.sendall(sent)
        got = b""
        while not (until and until in got) and (chunk := connection.recv(65536)):
            got += chunk
        return got


def test_pipelined_requests_are_answered_in_order_though_the_first_is_slow(simulator: RunningSimulator) -> None:
    simulator.control("3000", accept_delay_ms=150)
    balance = f"GET {V2}/balance/ HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n".encode()
    got = wire(simulator, send_request("989120000001") + balance)
    assert 0 < got.find(b'"messages"') < got.find(b'"balance"')


def test_slow_requests_do_not_hold_up_other_connections(simulator: RunningSimulator) -> None:
    simulator.control("3000", accept_delay_ms=60_000)
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=10) as waiting:
        waiting.sendall(send_request("989120000001"))
        assert simulator.call(f"{V2}/balance", operator="3000")["status"] == 0


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000, 431),
        (b"GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n", 404),
        (b"GET /truth/summary HTTP/1.0\r\n\r\n", 200),
    ],
)
def test_the_wire_has_limits(simulator: RunningSimulator, request_bytes: bytes, status: int) -> None:
    assert wire(simulator, request_bytes).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_caller_may_ask_before_it_sends_its_body(simulator: RunningSimulator) -> None:
    head, _, body = send_request("989120000001").partition(b"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=10) as connection:
        connection.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body[:10])
        connection.sendall(body[10:])
        assert b'"status":0' in connection.recv(65536)


def test_the_reply_of_a_99_breaks_off_on_the_wire(simulator: RunningSimulator) -> None:
    got = wire(simulator, send_request("989120000099", "989120000001", uids=[1, 2]))
    head, _, body = got.partition(b"\r\n\r\n")
    promised = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    assert b'"userId":2' in body
    assert body.count(b"}") == 1
    assert promised > len(body)
    assert simulator.truth("summary")["3000"]["accepted"] == 2


def test_cut_off_hangs_up_on_the_common_port_and_refuses_on_an_own_one(simulator: RunningSimulator) -> None:
    simulator.control("3000", is_cut_off=True)
    connection = HTTPConnection("127.0.0.1", simulator.port, timeout=10)
    connection.request("GET", f"{V2}/balance", headers={"Authorization": authorization("3000")})
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        connection.getresponse()
    connection.close()

    own_port = int(simulator.urls["2000"].rpartition(":")[2])
    socket.create_connection(("127.0.0.1", own_port), timeout=10).close()
    simulator.control("2000", is_cut_off=True)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", own_port), timeout=10)
    simulator.control("2000", is_cut_off=False)
    socket.create_connection(("127.0.0.1", own_port), timeout=10).close()


def test_magfas_own_python_client_is_understood(simulator: RunningSimulator) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from magfa import Magfa  # noqa: PLC0415 - its import is what warns
    client = Magfa(
        username="payamgah", domain="sample", password="sample-3000", endpoint=f"{simulator.url}{V2}/", sender="30001"
    )
    sent = client.send(recipients=["09120000001", "09120000097"], messages=["سلام", "سلام"]).json()
    assert sent["status"] == 0
    assert [row["status"] for row in sent["messages"]] == [0, 1]
    mid = sent["messages"][0]["id"]
    assert client.statuses(mid).json()["dlrs"][0]["status"] == 1
    assert client.mid("12").json() == {"status": 0, "mid": -1}
    assert client.messages(10).json() == {"status": 0, "messages": []}
    assert client.balance().json()["balance"] > 0
    client.password = "wrong"
    client.auth = ("payamgah/sample", "wrong")
    assert client.balance().json() == {"status": 18, "balance": None}


@pytest.mark.parametrize(
    "knobs",
    [
        {"accept_delay_ms": -1},
        {"report_delay_seconds": [3, 1]},
        {"report_delay_seconds": [1]},
        {"cut_reply_share": 2},
        {"garbage_kinds": ["poetry"]},
        {"duplicates": "eat"},
        {"is_silent": 1},
        {"credit_mrial": 1.5},
        {"speed": 1},
    ],
)
def test_a_control_that_makes_no_sense_changes_nothing(simulator: RunningSimulator, knobs: dict[str, object]) -> None:
    before = simulator.call("/control/3000")
    with pytest.raises(HTTPError) as caught:
        simulator.control("3000", garbage_share=0.5, **knobs)
    assert caught.value.code == 400
    assert next(iter(knobs)) in json.loads(caught.value.read())["error"]
    caught.value.close()
    assert simulator.call("/control/3000") == before


def test_controls_from_the_command_line(simulator: RunningSimulator) -> None:
    words = [sys.executable, "-m", "sms.simulator", "control", "3000", "--port", str(simulator.port)]
    done = subprocess.run(
        [*words, "is_silent=true", "report_delay_seconds=[1,2]"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["report_delay_seconds"] == [1, 2]
    assert simulator.call("/control/3000")["is_silent"] is True
    assert subprocess.run([*words, "speed=1"], cwd=ROOT, capture_output=True, check=False).returncode == 1
    assert subprocess.run([*words, "speed"], cwd=ROOT, capture_output=True, check=False).returncode == 2


@pytest.mark.parametrize(
    ("settings", "port"), [({"SIMULATOR_SMPP_URL": "smpp://127.0.0.1:2776"}, "2776"), ({"SIMULATOR_SMPP_URL": ""}, "0")]
)
def test_the_launcher_starts_it_on_both_its_ports(settings: dict[str, str], port: str, tmp_path: Path) -> None:
    words = simulator_command({"VAR_DIR": str(tmp_path)} | settings, 9105)
    assert words[words.index("--port") + 1] == "9105"
    assert words[words.index("--smpp-port") + 1] == port


def test_an_own_port_is_for_those_that_speak_http(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "sms.simulator", "--dir", str(tmp_path), "--own-port", "1000=0"]
    assert subprocess.run(words, cwd=ROOT, capture_output=True, check=False).returncode == 2


def test_the_truth_is_told(simulator: RunningSimulator) -> None:
    for _ in range(2):
        wire(simulator, send_request("989120000001", "989120000002", uids=[1, 2]), until=b"]}")
    wire(simulator, send_request("989120000003", uids=[3]), until=b"]}")
    assert simulator.truth("summary")["3000"] == {
        "accepted": 5,
        "distinct": 3,
        "duplicates": 2,
        "requests": {"send": 3},
    }
    assert simulator.truth("duplicates")["3000"] == {"1": 2, "2": 2}
    assert simulator.truth("recipients?operator=3000") == {"3000": {"989120000001": 2, "989120000002": 2}}
    (row,) = simulator.truth("?operator=3000&recipient=989120000003")["3000"]
    assert row["uid"] == 3


def test_a_killed_simulator_remembers_what_it_answered(tmp_path: Path) -> None:
    with RunningSimulator(tmp_path) as simulator:
        simulator.reset()
        got = wire(simulator, send_request("989120000001", uids=[7]), until=b"]}")
        simulator.stop(is_kill=True)
        with RunningSimulator(tmp_path) as again:
            mid = again.call(f"{V2}/mid/7", operator="3000")["mid"]
            assert f'"id":{mid}'.encode() in got
            assert again.call(f"{V2}/statuses/{mid}", operator="3000")["dlrs"][0]["status"] == 1


def test_people_write_on_a_page(simulator: RunningSimulator) -> None:
    def post(**fields: str) -> tuple[int, str]:
        request = Request(f"{simulator.url}/reply", urlencode(fields).encode())  # noqa: S310 - our own address
        try:
            with urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    with urlopen(f"{simulator.url}/reply", timeout=10) as answer:  # noqa: S310
        assert "<option>3000</option>" in answer.read().decode()
    status, shown = post(operator="3000", to="30001", body="<b>آری", times="2", **{"from": "09120000001"})
    assert (status, "Sent" in shown, "<b>" in shown) == (200, True, False)
    told = simulator.call(f"{V2}/messages/100", operator="3000")["messages"]
    assert [text["body"] for text in told] == ["<b>آری", "<b>آری"]
    for wrong in ({"operator": "9999"}, {"operator": "3000", "count": "many"}, {"operator": "3000", "count": "0"}):
        status, shown = post(**{"to": "30001", "body": "x"} | wrong)
        assert (status, "Not sent" in shown) == (400, True)


def test_people_write_by_a_word(simulator: RunningSimulator) -> None:
    def reply(*words: str) -> int:
        command = [sys.executable, "-m", "sms.simulator", "reply", "3000", "--port", str(simulator.port), *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode

    assert reply("--from", "09120000001", "--to", "30001", "vote {n}", "--count", "2", "--times", "2") == 0
    told = simulator.call(f"{V2}/messages/100", operator="3000")["messages"]
    assert [(text["senderNumber"][-10:], text["body"]) for text in told] == [
        ("9120000001", "vote 1"),
        ("9120000001", "vote 1"),
        ("9120000002", "vote 2"),
        ("9120000002", "vote 2"),
    ]
    assert reply("--from", "09120000001", "--to", "30001", "x", "--count", "0") == 1
