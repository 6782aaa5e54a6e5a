"""The commands of sending: the same operations as the pages, answers for scripts."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from sms.core.db import row, scalar
from sms.operators.rules import Outcome
from tests.factories import Shop, make_campaign, make_gateway, make_line, make_shop, make_tariff
from tests.outbox.conftest import Steps, refused


@pytest.fixture
def run(app: Flask) -> Any:
    """Runs a command of the panel."""
    runner = app.test_cli_runner()

    def run_command(*words: object) -> Result:
        return runner.invoke(args=[str(word) for word in words])

    return run_command


@pytest.fixture
def send(run: Any, shop: Shop, tmp_path: Path) -> Any:
    """Sends a list as the owner of the shop."""
    username = scalar("SELECT username FROM accounts_user WHERE id = :id", id=shop.user_id)
    number = scalar("SELECT number FROM lines_line WHERE id = :id", id=shop.line_id)

    def send_list(
        content: bytes, *flags: str, text: str = "hello\n", name: str = "list.csv", **changes: object
    ) -> Result:
        (tmp_path / "text").write_text(text, encoding="utf-8")
        (tmp_path / name).write_bytes(content)
        words = {"as": username, "line": number, "title": "From a script"} | changes
        options = [part for key, value in words.items() for part in (f"--{key}", value)]
        files = ["--text-file", tmp_path / "text", "--recipients-file", tmp_path / "list.csv"]
        return run("send", *options, *files, *flags, "--json")

    return send_list


def test_a_list_is_sent_and_each_recipient_told(send: Any, run: Any, shop: Shop, steps: Steps) -> None:
    told = json.loads(send(b"name,mobile\na,09120000000\nb,09120000007\nc,nobody\nd,09120000000\n").output)
    assert (told["state"], told["total"], told["accepted"], told["held_mrial"]) == ("queued", 4, 2, 2_000_000)
    assert told["by_outcome"] == {"invalid": 1, "duplicate": 1}
    assert told["by_progress"] == {"queued": 2}
    assert scalar("SELECT title || body FROM outbox_campaign") == "From a scripthello"

    steps.send(lambda recipient: refused(recipient) if recipient.number % 10 == 7 else None)
    steps.settle(told["campaign"])
    again = json.loads(run("campaign", told["campaign"], "--json").output)
    assert again["by_outcome"] == {"refused": 1, "invalid": 1, "duplicate": 1}
    assert again["by_progress"] == {"unknown": 1}
    lines = [json.loads(line) for line in run("messages", "--campaign", told["campaign"]).output.splitlines()]
    assert [(line["row_number"], line["recipient"], line["given"], line["state"]) for line in lines] == [
        (2, "09120000000", None, "unknown"),
        (3, "09120000007", None, str(Outcome.REFUSED)),
        (4, None, "nobody", str(Outcome.INVALID)),
        (5, "09120000000", None, str(Outcome.DUPLICATE)),
    ]
    assert [line["price_mrial"] for line in lines] == [1_000_000, 1_000_000, 0, 0]


def test_waiting_ends_when_the_campaign_is_closed(send: Any, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    def others_work(_seconds: float) -> None:
        steps.send(refused)
        steps.settle(int(scalar("SELECT max(id) FROM outbox_campaign")))

    monkeypatch.setattr("sms.outbox.cli.time.sleep", others_work)
    told = json.loads(send(b"09120000000\n09120000001\n", "--wait").output)
    assert (told["state"], told["by_outcome"], told["released_mrial"]) == ("closed", {"refused": 2}, 2_000_000)


@pytest.mark.parametrize(
    ("content", "changes", "sentence"),
    [
        (b"", {}, "The list is empty."),
        (b"%PDF-1.7", {}, "This file is no list."),
        (b"09120000000\n", {"text": "\n"}, "The text is empty."),
        (b"09120000000\n", {"line": "99999"}, "There is no such line."),
        (b"09120000000\n", {"as": "nobody"}, "There is no user called nobody."),
        (b"nobody\n", {}, "Nobody is left to send to"),
    ],
)
def test_what_cannot_be_sent_is_said_and_ends_with_1(
    content: bytes, changes: dict[str, str], sentence: str, send: Any
) -> None:
    done = send(content, **changes)
    assert done.exit_code == 1
    assert sentence in done.output
    assert scalar("SELECT count(*) FROM outbox_campaign") == 0


def test_the_rest_of_a_campaign_is_cancelled(run: Any, shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop, size=10, batch_size=5)
    steps.claim(most=1)
    assert json.loads(run("campaign-cancel", campaign_id, "--json").output) == {
        "campaign": campaign_id,
        "cancelled": 5,
    }
    again = run("campaign-cancel", campaign_id)
    assert again.exit_code == 1
    assert "Nothing is left to cancel" in again.output


@pytest.mark.parametrize("words", [("campaign", "404"), ("messages", "--campaign", "404"), ("campaign-cancel", "404")])
def test_a_campaign_that_is_not_there_is_said(words: tuple[str, ...], run: Any) -> None:
    done = run(*words)
    assert done.exit_code == 1
    assert "There is no such campaign." in done.output


def test_a_line_of_another_customer_cannot_be_sent_from(send: Any) -> None:
    other = make_shop(operator_code="2000")
    make_line(
        operator_id=other.operator_id, gateway_id=other.gateway_id, account_id=other.account_id, number="2000123456"
    )
    assert "There is no such line." in send(b"09120000000\n", line="2000123456").output


# Control


def test_a_send_is_scheduled_with_its_plan_paused_resumed_and_moved(
    send: Any, run: Any, shop: Shop, steps: Steps
) -> None:
    away = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=shop.account_id)
    number = scalar("SELECT number FROM lines_line WHERE id = :id", id=away)
    refused_plan = send(b"09120000000", "--plan", f"{number}")
    assert "write a line and a cap in rial" in refused_plan.stderr

    flags = ["--schedule-at", "2027-03-01T08:30", "--plan", f"{number}:۲٬۵۰۰", "--out-of-hours", "refuse"]
    told = json.loads(send(b"09120000000\n09120000001", *flags).output)
    assert (told["scheduled_at"], told["waits"]) == ("2027-03-01T05:00:00+00:00", ["scheduled"])
    found = row(
        "SELECT c.out_of_hours, p.line_id, p.cap_mrial FROM outbox_campaign c"
        " JOIN outbox_campaign_line p ON p.campaign_id = c.id AND p.place = 1"
    )
    assert found is not None
    assert (found.out_of_hours, found.line_id, found.cap_mrial) == ("refuse", away, 2_500_000)

    def told_by(command: str, *words: object) -> Any:
        return json.loads(run(command, told["campaign"], *words, "--json").output)

    assert told_by("campaign-pause")["waiting"] == 2
    assert told_by("campaign")["waits"] == ["paused"]
    assert run("campaign-pause", told["campaign"]).exit_code == 1
    assert told_by("campaign-resume")["left"] == 2
    assert steps.claim() == []
    assert told_by("campaign-schedule", "--at", "2027-03-02T08:30+00:00")["scheduled_at"] == "2027-03-02T08:30:00+00:00"
    assert told_by("campaign-schedule")["scheduled_at"] is None
    assert len(steps.send()) == 1
    assert run("campaign-schedule", told["campaign"]).exit_code == 1


def test_the_rest_goes_over_another_line_once_its_price_was_told(send: Any, run: Any, shop: Shop, steps: Steps) -> None:
    operator_id, gateway_id = make_gateway(operator_code="2000")
    line_id = make_line(operator_id=operator_id, gateway_id=gateway_id)
    make_tariff(operator_id=operator_id, price_mrial=1_500_000)
    number = scalar("SELECT number FROM lines_line WHERE id = :id", id=line_id)
    told = json.loads(send(b"09120000000\n09120000001").output)
    switch = ["campaign-switch-line", told["campaign"], "--line", number, "--json"]

    price = json.loads(run(*switch).output)
    assert (price["rest"], price["difference_mrial"], price["whole_mrial"]) == (2, 1_000_000, 3_000_000)
    too_dear = run(*switch, "--most", "2999")
    assert (too_dear.exit_code, "more than you agreed to" in too_dear.stderr) == (1, True)
    assert [json.loads(run(*switch, "--most", "3000").output)["moved"] for _ in range(2)] == [2, 0]
    assert scalar("SELECT held_mrial FROM outbox_campaign") == 3_000_000
    steps.verify()
