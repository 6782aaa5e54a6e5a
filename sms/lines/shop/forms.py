"""The form of the line shop."""

from collections.abc import Sequence
from typing import Any

from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice

from sms.core.text import N_
from sms.core.web.forms import FilterForm, IntField, MoneyField
from sms.core.web.i18n import language
from sms.lines.formats.rules.tiers import TIER_LABELS

ALL = SelectChoice("", N_("All"))


class SearchForm(FilterForm):
    """What somebody looks for in the shop."""

    pattern = StringField(
        N_("Digits you like"),
        description=N_("Such as 1404, *1404 for the end, 3000* for the beginning, or “my mobile's last four”."),
    )
    operator = SelectField(N_("Operator"))
    digits = IntField(N_("Digits"))
    tier = SelectField(
        N_("Roundness"),
        choices=[ALL, *(SelectChoice(str(tier), label) for tier, label in TIER_LABELS.items())],
        default="",
    )
    most = MoneyField(N_("Price at most"))

    @classmethod
    def over(cls, operators: Sequence[Any]) -> "SearchForm":
        """The form as the address fills it, with these operators to choose from."""
        choices = [ALL] + [
            SelectChoice(each.code, f"{each.name_fa if language() == 'fa' else each.name_en} · {each.code}")
            for each in operators
        ]
        made = type("SearchForm", (cls,), {"operator": SelectField(N_("Operator"), choices=choices, default="")})
        return made.read()  # type: ignore[no-any-return, attr-defined]
