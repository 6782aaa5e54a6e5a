"""Jobs of the eyes of the house: statements of operators are compared, and what staff should know is found."""

from sms.core import clock
from sms.core.db import transaction
from sms.core.queue import Job, answered
from sms.dashboard.alerts import operations as alerts
from sms.dashboard.reconciliation.operations import comparing

_STATEMENTS_AT_ONCE = 10


def compare_statement(*, statement_id: int) -> None:
    """Compare one operator's statement with our messages."""
    answered(Job.COMPARE_STATEMENT, statement_id)
    with transaction():
        comparing.compare(statement_id=statement_id, at=clock.now())


def watch() -> None:
    """Compare the statements whose doorbell was lost; notice prices, credit and spending that staff should know of."""
    answered(Job.WATCH)
    for statement_id in comparing.waiting(most=_STATEMENTS_AT_ONCE):
        with transaction():
            comparing.compare(statement_id=statement_id, at=clock.now())
    with transaction():
        alerts.watch(at=clock.now())
