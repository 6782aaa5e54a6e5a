"""A shop to send from, and the steps of a send taken one by one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import pytest
from flask import Flask

from sms.core.db import scalar, transaction
from sms.ledger import queries as ledger
from sms.operators.contract import Answer, AnswerKind
from sms.operators.rules import Outcome
from sms.outbox.operations import campaigns, dispatch
from sms.outbox.operations.dispatch import Claimed, Recipient, Result
from sms.outbox.queries import invariants
from tests.factories import AT, Shop, make_shop

Say = Callable[[Recipient], Answer | None]


def accepted(recipient: Recipient) -> Answer:
    """The operator takes it, and calls it by a reference of its own."""
    return Answer(recipient.message_id, AnswerKind.ACCEPTED, operator_ref=f"ref{recipient.message_id}")


def refused(recipient: Recipient) -> Answer:
    """The operator takes it not."""
    return Answer(recipient.message_id, AnswerKind.REFUSED, code="1", outcome=Outcome.REFUSED)


@dataclass
class Steps:
    """The steps of the sending job, without an operator."""

    shop: Shop

    def claim(self, most: int = 100) -> list[Claimed]:
        """Claim what is queued."""
        with transaction():
            return dispatch.claim(gateway_id=self.shop.gateway_id, most=most, lease_seconds=15)

    def mark(self, batches: list[Claimed]) -> list[Claimed]:
        """Say that they go on the wire."""
        with transaction():
            return dispatch.mark_wire(batches, timeout_seconds=5)

    def record(self, batches: list[Claimed], say: Say = accepted, at: datetime = AT, **result: object) -> None:
        """Store what the operator said."""
        results = [Result(batch, answers=_answers(batch, say), **result) for batch in batches]  # type: ignore[arg-type]
        with transaction():
            dispatch.record(
                results, gateway_id=self.shop.gateway_id, lookup_after_seconds=0, poll_after_seconds=1, at=at
            )

    def send(self, say: Say = accepted, at: datetime = AT) -> list[Claimed]:
        """All of it."""
        batches = self.mark(self.claim())
        self.record(batches, say, at)
        return batches

    def settle(self, campaign_id: int, at: datetime = AT) -> None:
        """Take the totals."""
        with transaction():
            campaigns.settle(campaign_id=campaign_id, at=at)

    def verify(self) -> None:
        """Every invariant holds."""
        assert not {name: found for name, found in (ledger.broken() | invariants.broken()).items() if found}


def _answers(batch: Claimed, say: Say) -> Mapping[int, Answer]:
    said = (say(recipient) for recipient in batch.recipients)
    return {answer.message_id: answer for answer in said if answer is not None}


@pytest.fixture
def shop(app: Flask) -> Shop:
    """A customer with money and a line."""
    return make_shop()


@pytest.fixture
def steps(shop: Shop) -> Steps:
    """The steps of a send."""
    return Steps(shop)


def balance(wallet_id: int) -> int:
    """A wallet's balance, in milli-rial."""
    return int(scalar("SELECT balance_mrial FROM ledger_wallet WHERE id = :id", id=wallet_id))
