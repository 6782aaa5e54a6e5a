"""After a restore to an earlier moment: what may have been sent since is unknown, and nothing is sent by itself."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from jobs import asking, sending
from jobs.outbox import settle_dirty
from sms.core.config import Settings
from sms.core.db import execute, row, rows, scalar, transaction
from sms.core.queue import Job, connection, ring_now
from sms.core.seal import seal
from sms.operators import registry
from sms.operators.rules import Capability
from sms.outbox.operations import campaigns, sweep, unknown
from sms.outbox.operations.restored import Restored, after_restore
from tests.factories import AT, make_account, make_campaign, make_gateway, make_line
from tests.outbox.conftest import Steps, balance

HOUR_AGO = timedelta(hours=1)


def _restore(taken_at: datetime | None = None) -> Restored:
    with transaction():
        return after_restore(taken_at=taken_at or datetime.now(UTC) - HOUR_AGO, at=AT)


def _batch_ids(campaign_id: int) -> list[int]:
    return [
        batch.id for batch in rows("SELECT id FROM outbox_batch WHERE campaign_id = :id ORDER BY id", id=campaign_id)
    ]


def _unknown() -> int:
    return int(scalar("SELECT count(*) FROM outbox_unknown"))


def _totals(campaign_id: int, steps: Steps) -> dict[str, int]:
    steps.settle(campaign_id)
    found = row("SELECT counts FROM outbox_campaign WHERE id = :id", id=campaign_id)
    return {name: count for name, count in (found.counts if found else {}).items() if count}


def test_what_was_queued_or_on_its_way_becomes_unknown_and_cannot_be_claimed(steps: Steps) -> None:
    campaign_id = make_campaign(steps.shop, size=15, batch_size=5)
    steps.mark(steps.claim(most=1))

    restored = _restore()

    assert restored.unknown_count == _unknown() == 15
    assert restored.campaign_count == 1
    assert steps.claim() == []
    assert _totals(campaign_id, steps) == {"unknown": 15}
    steps.verify()


def test_what_had_its_answer_before_the_backup_stays_as_it_is(steps: Steps) -> None:
    campaign_id = make_campaign(steps.shop, size=10, batch_size=5)
    steps.send()

    restored = _restore()

    assert restored.unknown_count == 0
    assert _totals(campaign_id, steps) == {"waiting": 10, "submitted": 10}


def test_what_was_cancelled_stays_cancelled_and_its_money_goes_back(steps: Steps) -> None:
    campaign_id = make_campaign(steps.shop, size=10, batch_size=5)
    with transaction():
        campaigns.cancel(campaign_id=campaign_id, account_id=steps.shop.account_id, at=AT)

    _restore()

    with transaction():
        campaigns.finish_cancelled(most=10, at=AT)
    assert _totals(campaign_id, steps) == {"cancelled": 10}
    assert balance(steps.shop.wallet_id) == 10**12
    steps.verify()


def test_what_may_be_sent_later_only_stays_queued(steps: Steps) -> None:
    make_campaign(steps.shop, size=5, batch_size=5)
    with transaction():
        execute("UPDATE outbox_batch SET not_before = now() + interval '1 hour'")

    restored = _restore()

    assert (restored.unknown_count, restored.later_count) == (0, 5)
    assert scalar("SELECT state FROM outbox_batch") == "queued"


def _hold(campaign_id: int, **columns: object) -> None:
    with transaction():
        execute("UPDATE outbox_batch SET state = 'paused' WHERE campaign_id = :id", id=campaign_id)
        for name, value in columns.items():
            execute(f"UPDATE outbox_campaign SET {name} = :value WHERE id = :id", id=campaign_id, value=value)  # noqa: S608 - our own names


def test_what_was_paused_stays_paused_and_a_schedule_that_lies_ahead_stands(steps: Steps) -> None:
    paused, later, begun = (make_campaign(steps.shop, size=size, batch_size=10) for size in (2, 3, 4))
    _hold(paused, paused_at=AT)
    _hold(later, scheduled_at=AT + HOUR_AGO)
    _hold(begun, scheduled_at=AT - HOUR_AGO)  # its moment has come since

    restored = _restore()

    assert (restored.paused_count, restored.later_count, restored.unknown_count) == (2, 3, 4)
    assert _totals(begun, steps) == {"unknown": 4}


def test_messages_count_as_old_as_the_backup_and_are_looked_up_when_the_operator_must_know(steps: Steps) -> None:
    make_campaign(steps.shop, size=5, batch_size=5)
    taken_at = datetime.now(UTC) - HOUR_AGO

    _restore(taken_at)

    for message in rows("SELECT wire_at, next_lookup_at > clock_timestamp() AS is_later FROM outbox_unknown"):
        assert message.wire_at == taken_at
        assert message.is_later


def test_what_the_operator_has_is_charged_once_and_what_it_lacks_follows_the_gateways_setting(steps: Steps) -> None:
    campaign_id = make_campaign(steps.shop, size=10, batch_size=5)
    _restore()
    ids = [message.message_id for message in rows("SELECT message_id FROM outbox_unknown ORDER BY 1")]

    with transaction():
        unknown.found({message_id: f"r{message_id}" for message_id in ids[:7]}, gateway_id=steps.shop.gateway_id, at=AT)
    _absent_twice(ids[7:])

    assert scalar("SELECT count(*) FROM outbox_submission") == 7
    assert scalar("SELECT sum(size) FROM outbox_batch WHERE state = 'queued'") == 3
    assert sum(len(batch.recipients) for batch in steps.send()) == 3
    assert _totals(campaign_id, steps) == {"waiting": 10, "submitted": 10}
    assert scalar("SELECT balance_mrial FROM ledger_wallet WHERE kind = 'escrow'") == 0
    steps.verify()


def _absent_twice(
    ids: Sequence[int], *, capability: Capability = Capability.LOOKS_UP, remembers_seconds: float = 86_400
) -> None:
    for _ in range(2):
        with transaction():
            unknown.absent(
                ids,
                capability=capability,
                on_absent="resend",
                ask_again_seconds=0,
                remembers_seconds=remembers_seconds,
            )


def test_an_operator_whose_memory_ends_before_the_backup_proves_nothing_by_not_knowing(steps: Steps) -> None:
    make_campaign(steps.shop, size=5, batch_size=5)
    _restore()

    _absent_twice(
        [message.message_id for message in rows("SELECT message_id FROM outbox_unknown")], remembers_seconds=600
    )

    assert scalar("SELECT count(*) FROM outbox_unknown WHERE next_lookup_at IS NULL") == 5
    assert steps.claim() == []


def test_what_may_have_gone_over_another_gateway_is_never_sent_again_by_itself(steps: Steps) -> None:
    """The customer had a line of another operator too: whether the send went on over it meanwhile, nobody knows."""
    make_campaign(steps.shop, size=5, batch_size=5)
    operator_id, gateway_id = make_gateway(operator_code="2000")
    make_line(operator_id=operator_id, gateway_id=gateway_id)
    _restore()
    ids = [message.message_id for message in rows("SELECT message_id FROM outbox_unknown ORDER BY 1")]

    with transaction():
        unknown.found({ids[0]: "r"}, gateway_id=steps.shop.gateway_id, at=AT)
    _absent_twice(ids[1:3])
    _absent_twice(ids[3:], capability=Capability.DEDUPES)

    assert scalar("SELECT count(*) FROM outbox_submission") == 1
    assert scalar("SELECT count(*) FROM outbox_unknown WHERE next_lookup_at IS NULL") == 4
    assert steps.claim() == []


def test_a_line_of_somebody_else_is_no_other_way(steps: Steps) -> None:
    make_campaign(steps.shop, size=5, batch_size=5)
    operator_id, gateway_id = make_gateway(operator_code="2000")
    make_line(operator_id=operator_id, gateway_id=gateway_id, account_id=make_account()[0])
    _restore()
    assert scalar("SELECT bool_or(may_be_elsewhere) FROM outbox_unknown") is False


class _Deaf:
    """An operator that can be asked nothing."""

    code, label, capability, is_bound = "deaf", "Deaf", Capability.NOTHING, False
    max_batch, max_statuses, remembers_seconds = 100, 100, 0.0

    def __init__(self, _access: object) -> None:
        self.is_open = True

    def submit(self, _submission: object) -> None:
        raise AssertionError("nothing may be sent by itself")

    def lookup(self, _message_id: int) -> None:
        raise AssertionError("there is nothing to look up with")

    def close(self) -> None:
        self.is_open = False


def test_where_nothing_can_be_asked_all_waits_for_a_person_and_nothing_is_sent(
    app: Flask, steps: Steps, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.ADAPTERS, "deaf", _Deaf)  # type: ignore[arg-type]
    campaign_id = make_campaign(steps.shop, size=10, batch_size=5)
    with transaction():
        execute(
            "UPDATE operators_gateway SET adapter = 'deaf', credentials_sealed = :sealed, on_absent = 'park'",
            sealed=seal({"user": "u"}, seal_key=settings.seal_key),
        )

    _restore()
    with transaction():
        execute("UPDATE outbox_unknown SET next_lookup_at = now() - interval '1 second'")
    asking.look_up(steps.shop.gateway_id)
    sent = sending.drain(steps.shop.gateway_id)
    with transaction():
        sweep.sweep(at=AT)
    settle_dirty()

    assert sent == 0
    assert scalar("SELECT count(*) FROM outbox_unknown WHERE next_lookup_at IS NULL") == 10
    assert scalar("SELECT balance_mrial FROM ledger_wallet WHERE kind = 'escrow'") == 10 * 1_000_000
    assert _totals(campaign_id, steps) == {"unknown": 10}
    steps.verify()


# Epochs


def test_a_worker_from_before_the_restore_stores_nothing_and_claims_nothing(steps: Steps) -> None:
    """Paused then, resumed after the restore: the same batch, and the same attempt, in another life."""
    campaign_id = make_campaign(steps.shop, size=5, batch_size=5)
    before = steps.mark(steps.claim())
    with transaction():  # the backup knows nothing of that claim
        execute("UPDATE outbox_batch SET state = 'queued', attempt = 0, not_before = now() + interval '1 hour'")
        after_restore(taken_at=datetime.now(UTC) - HOUR_AGO, at=AT)
    with transaction():
        execute("UPDATE outbox_batch SET not_before = now()")
    with transaction():
        assert sending.dispatch.claim(gateway_id=steps.shop.gateway_id, most=9, lease_seconds=9, epoch=0) == []
    now = steps.claim()
    assert [(batch.id, batch.attempt) for batch in now] == [(batch.id, batch.attempt) for batch in before]

    assert steps.mark(before) == []
    steps.record(before)
    assert scalar("SELECT count(*) FROM outbox_submission") == 0

    steps.record(steps.mark(now))
    assert scalar("SELECT count(*) FROM outbox_submission") == 5
    assert _totals(campaign_id, steps) == {"waiting": 5, "submitted": 5}
    steps.verify()


def test_no_restore_comes_to_an_epoch_that_was_there_before(steps: Steps) -> None:
    first = _restore().epoch
    assert _restore().epoch > first
    with transaction():
        execute("SET LOCAL ROLE NONE")
        execute("DELETE FROM core_epoch WHERE number > 0")  # the same backup once more
        second = scalar("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint - 1577836800")
    assert first <= second <= _restore().epoch


def test_twice_is_as_good_as_once(steps: Steps) -> None:
    campaign_id = make_campaign(steps.shop, size=10, batch_size=5)
    assert _restore().unknown_count == 10
    assert _restore().unknown_count == 0
    assert _totals(campaign_id, steps) == {"unknown": 10}
    steps.verify()


# What else begins anew


def test_everybody_is_signed_out_and_the_audit_says_what_happened(steps: Steps) -> None:
    with transaction():
        execute(
            "INSERT INTO accounts_session (token_hash, user_id, created_at, seen_at, expires_at)"
            " VALUES ('x', :user, now(), now(), now() + interval '1 day')",
            user=steps.shop.user_id,
        )
    assert _restore().session_count == 1
    assert scalar("SELECT count(*) FROM accounts_session") == 0
    assert (
        scalar("SELECT details ->> 'session_count' FROM accounts_audit WHERE action = 'installation.restored'") == "1"
    )


def test_reports_are_asked_for_again_at_once(steps: Steps) -> None:
    make_campaign(steps.shop, size=5, batch_size=5)
    steps.send()
    with transaction():
        execute("UPDATE outbox_batch SET poll_at = now() + interval '1 year', poll_step = 4")

    _restore()

    batch = row("SELECT poll_at, poll_step FROM outbox_batch")
    assert batch is not None
    assert (batch.poll_at, batch.poll_step) == (AT, 0)


def test_doorbells_are_forgotten_and_ring_again(app: Flask, steps: Steps) -> None:
    ring_now(Job.DISPATCH, queue="send-1", gateway_id=1)
    assert _bells()

    _restore()

    assert not _bells()
    ring_now(Job.DISPATCH, queue="send-1", gateway_id=1)
    assert _bells()


def _bells() -> list[bytes]:
    return [*connection().scan_iter("payamgah-bell:*"), *connection().scan_iter("rq:queue:payamgah-*")]


# The command


def test_the_command_finishes_a_restore_by_other_means(app: Flask, steps: Steps) -> None:
    make_campaign(steps.shop, size=5, batch_size=5)
    moment = (datetime.now(UTC) - HOUR_AGO).isoformat()

    done = app.test_cli_runner().invoke(args=["after-restore", "--taken-at", moment, "--json"])

    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["unknown_count"] == 5


@pytest.mark.parametrize(
    ("moment", "said"),
    [("yesterday", "write it as"), ("2026-11-23T08:00:00", "offset"), ("2999-01-01T00:00:00+00:00", "future")],
)
def test_a_moment_that_cannot_be_meant_is_refused(app: Flask, moment: str, said: str) -> None:
    done = app.test_cli_runner().invoke(args=["after-restore", "--taken-at", moment])
    assert done.exit_code == 2
    assert said in done.output
