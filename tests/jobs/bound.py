"""A shop whose gateway stays bound to the SMSC of the tests, and its long job in a thread."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

from flask import Flask

from jobs.binding import Binding, open_binding
from sms.core import clock
from sms.core.db import execute, release, row, rows, scalar, transaction
from sms.core.seal import seal
from sms.ledger import queries as ledger
from sms.outbox.operations import campaigns, reports
from sms.outbox.queries import invariants
from tests.factories import AT, Shop, make_campaign, make_shop
from tests.operators.smpp.smsc import Smsc

KEY = "a seal that only tests know"
TIMES = {"timeout_seconds": 2, "slowest_accept_seconds": 0, "lease_seconds": 8, "report_horizon_seconds": 3600}


@dataclass
class Desk:
    """A shop whose gateway is bound to the SMSC of the tests."""

    app: Flask
    shop: Shop
    smsc: Smsc

    def campaign(self, size: int = 10, batch_size: int = 5, body: str = "hello") -> int:
        campaign_id = make_campaign(self.shop, size=size, batch_size=batch_size)
        with transaction():
            execute(
                "UPDATE outbox_campaign SET body = :body, is_unicode = :coded WHERE id = :id",
                body=body,
                coded=not body.isascii(),
                id=campaign_id,
            )
        return campaign_id

    @contextmanager
    def bound(self) -> Iterator[Binding]:
        """The job, in a thread."""
        found: list[Binding] = []
        thread = Thread(target=lambda: self._work(found), daemon=True)
        thread.start()
        wait_for(lambda: found)
        try:
            wait_for(lambda: found[0].line.is_ready or found[0].line.state.trouble_count or not thread.is_alive())
            yield found[0]
        finally:
            found[0].stop()
            thread.join(15)
            assert not thread.is_alive()

    def _work(self, found: list[Binding]) -> None:
        with self.app.app_context():
            binding = open_binding(self.shop.gateway_id, holder="test")
            assert binding is not None
            found.append(binding)
            binding.run()

    def settled(self, campaign_id: int) -> dict[str, Any]:
        """The campaign after its totals were taken; every invariant holds."""
        with transaction():
            campaigns.settle(campaign_id=campaign_id, at=AT)
        self.verify()
        found = row(
            "SELECT state, counts, charged_mrial, released_mrial, refunded_mrial FROM outbox_campaign WHERE id = :id",
            id=campaign_id,
        )
        assert found is not None
        return dict(found._mapping)

    def verify(self) -> None:
        assert not {name: found for name, found in (ledger.broken() | invariants.broken()).items() if found}

    def counts(self) -> dict[str, int]:
        """How many messages have which outcome, once another worker has applied what was reported."""
        with transaction():
            reports.apply_waiting(most=100, at=clock.now())
        found = rows("SELECT coalesce(outcome::text, 'none') AS outcome, count(*) AS n FROM outbox_message GROUP BY 1")
        return {each.outcome: each.n for each in found}

    def count(self, table: str) -> int:
        release()
        return int(scalar(f"SELECT count(*) FROM {table}"))  # noqa: S608 - our own names


def wait_for(is_there: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_there():
        assert time.monotonic() < deadline
        release()  # what others write is seen at the next look
        time.sleep(0.01)


def make_desk(app: Flask, smsc: Smsc, **own: Any) -> Desk:
    credentials = {"username": "payamgah", "password": own.pop("password", "secret")}
    shop = make_shop(
        adapter="smpp",
        base_url=f"smpp://127.0.0.1:{smsc.port}",
        credentials_sealed=seal(credentials, seal_key=KEY),
        settings=json.dumps({"id_style": "exact", "error_outcomes": "027=blocked", **own}),
        on_absent="park",
        **TIMES,
    )
    return Desk(app, shop, smsc)
