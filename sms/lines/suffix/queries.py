"""Reads of what each operator's texts end with."""

from dataclasses import dataclass

from sms.core.db import rows


@dataclass(frozen=True, slots=True)
class OperatorSuffix:
    """The words of an operator, and whether its lines demand them that say nothing themselves."""

    operator_id: int
    code: str
    name_fa: str
    name_en: str
    suffix: str
    is_demanded: bool


def suffixes() -> list[OperatorSuffix]:
    """Those of all operators, by code."""
    found = rows(
        """SELECT o.id AS operator_id, o.code, o.name_fa, o.name_en, coalesce(s.suffix, 'لغو11') AS suffix,
                  coalesce(s.is_demanded, false) AS is_demanded
           FROM operators_operator o LEFT JOIN lines_suffix s ON s.operator_id = o.id ORDER BY o.code"""
    )
    return [OperatorSuffix(**each._mapping) for each in found]
