"""Writes of what each operator's texts end with; every change is in the audit."""

from datetime import datetime

from sms.accounts.operations import record
from sms.core.actor import Actor
from sms.core.db import execute
from sms.lines.suffix.rules import check_suffix
from sms.operators.queries import operator


def set_suffix(*, operator_id: int, suffix: str, is_demanded: bool, by: Actor, at: datetime) -> None:
    """The words a text ends with where that is demanded, and whether the operator's lines demand it that say nothing
    themselves. What is accepted already goes out as it was priced. Raises NotFound or Refusal."""
    code = operator(operator_id).code
    words = check_suffix(suffix)
    changed = execute(
        """INSERT INTO lines_suffix AS s (operator_id, suffix, is_demanded) VALUES (:id, :suffix, :is_demanded)
           ON CONFLICT (operator_id) DO UPDATE SET suffix = excluded.suffix, is_demanded = excluded.is_demanded
           WHERE (s.suffix, s.is_demanded) <> (excluded.suffix, excluded.is_demanded)""",
        id=operator_id,
        suffix=words,
        is_demanded=is_demanded,
    )
    if changed:
        record(
            actor_id=by.id,
            account_id=None,
            action="line.suffix_changed",
            subject=f"operator:{operator_id}",
            details={"operator": code, "suffix": words, "is_demanded": is_demanded},
            at=at,
            address=by.address,
        )
