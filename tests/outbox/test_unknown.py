"""Messages of unknown fate at an operator that dedupes: sent again under the same id, as long as it remembers ids."""

import pytest

from sms.core.db import execute, rows, scalar, transaction
from sms.operators.contract import Answer, AnswerKind
from sms.operators.rules import Capability
from sms.outbox.operations import unknown
from sms.outbox.operations.dispatch import Recipient
from sms.outbox.queries.unknown import has_parked
from tests.factories import AT, Shop, make_campaign
from tests.outbox.conftest import Steps, accepted

REMEMBERS_SECONDS = 11 * 3600


def _lose(shop: Shop, steps: Steps, *, age_seconds: int = 0) -> list[int]:
    """Send a campaign whose answers are all lost, so long ago; returns its message ids."""
    make_campaign(shop, size=10)
    batches = steps.mark(steps.claim())
    with transaction():
        execute(
            "UPDATE outbox_batch SET wire_at = wire_at - make_interval(secs => :age) WHERE state = 'submitting'",
            age=age_seconds,
        )
    steps.record(batches, say=lambda _recipient: None)
    return [recipient.message_id for batch in batches for recipient in batch.recipients]


def _claim(shop: Shop) -> list[int]:
    with transaction():
        return sorted(unknown.claim_lookups(gateway_id=shop.gateway_id, most=100, lease_seconds=60))


def _absent(ids: list[int], *, on_absent: str = "park") -> None:
    with transaction():
        unknown.absent(
            ids,
            capability=Capability.DEDUPES,
            on_absent=on_absent,
            ask_again_seconds=0,
            remembers_seconds=REMEMBERS_SECONDS,
        )


def test_what_a_deduping_operator_does_not_know_goes_again_under_its_own_id(shop: Shop, steps: Steps) -> None:
    ids = _lose(shop, steps)
    assert _claim(shop) == ids
    _absent(ids)

    assert scalar("SELECT count(*) FROM outbox_unknown") == 0
    again = steps.mark(steps.claim())
    assert sorted(recipient.message_id for batch in again for recipient in batch.recipients) == ids
    steps.record(again)
    assert [found.message_id for found in rows("SELECT message_id FROM outbox_submission ORDER BY 1")] == ids
    steps.verify()


def test_the_record_of_an_earlier_submission_is_charged_once(shop: Shop, steps: Steps) -> None:
    """The first submission was accepted after all: its repetition is answered with the record there is."""
    ids = _lose(shop, steps)
    _absent(_claim(shop))

    def as_before(recipient: Recipient) -> Answer:
        return Answer(recipient.message_id, AnswerKind.ACCEPTED, operator_ref=f"first{recipient.message_id}", code="10")

    steps.record(steps.mark(steps.claim()), say=as_before)
    with transaction():  # and now the lost answer of the first submission comes in
        assert unknown.found({ids[0]: f"first{ids[0]}"}, gateway_id=shop.gateway_id, at=AT) == 0
    assert scalar("SELECT sum(charged_mrial) FROM outbox_batch") == 10_000_000
    steps.verify()


@pytest.mark.parametrize(
    ("age_seconds", "is_parked"), [(REMEMBERS_SECONDS - 60, False), (REMEMBERS_SECONDS + 60, True)]
)
@pytest.mark.parametrize("on_absent", ["park", "resend"])
def test_after_eleven_hours_a_person_decides(
    shop: Shop, steps: Steps, age_seconds: int, is_parked: bool, on_absent: str
) -> None:
    ids = _lose(shop, steps, age_seconds=age_seconds)
    _absent(_claim(shop), on_absent=on_absent)

    assert has_parked() == is_parked
    assert scalar("SELECT count(*) FROM outbox_batch WHERE state = 'queued'") == (0 if is_parked else 2)
    assert scalar("SELECT count(*) FROM outbox_unknown") == (len(ids) if is_parked else 0)
    assert _claim(shop) == []
    steps.verify()


@pytest.mark.parametrize(
    ("age_seconds", "is_parked"), [(REMEMBERS_SECONDS - 60, False), (REMEMBERS_SECONDS + 60, True)]
)
def test_what_is_never_told_is_asked_about_until_it_would_be_forgotten(
    shop: Shop, steps: Steps, age_seconds: int, is_parked: bool
) -> None:
    _lose(shop, steps, age_seconds=age_seconds)
    asked = _claim(shop)
    with transaction():
        unknown.untold(asked, remembers_seconds=REMEMBERS_SECONDS)

    assert has_parked() == is_parked
    steps.verify()


def test_the_second_loss_is_counted_from_the_second_sending(shop: Shop, steps: Steps) -> None:
    ids = _lose(shop, steps, age_seconds=REMEMBERS_SECONDS - 60)
    _absent(_claim(shop))
    steps.record(steps.mark(steps.claim()), say=lambda _recipient: None)
    _absent(_claim(shop))

    assert not has_parked()
    steps.record(steps.mark(steps.claim()), say=accepted)
    assert scalar("SELECT count(*) FROM outbox_submission") == len(ids)
    steps.verify()
