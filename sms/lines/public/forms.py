"""Forms of the policy of public lines."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice

from sms.core.calendar import start_of_day
from sms.core.text import N_
from sms.core.web.forms import DayField, Form, IntField
from sms.core.web.i18n import language
from sms.lines.public.rules import POLICY_LABELS, NewPolicy, Policy

_USUAL_FREE = 10


class PolicyForm(Form):
    """A policy to be: for whom, what, from when."""

    operator_id = SelectField(N_("Operator"), choices=[])
    policy = SelectField(N_("Policy"), choices=[SelectChoice(code, label) for code, label in POLICY_LABELS.items()])
    free_messages = IntField(
        N_("Free messages"),
        default=_USUAL_FREE,
        description=N_("For each customer and operator, once; to the customer's own verified numbers."),
    )
    valid_from = DayField(N_("Holds from"), description=N_("The first day it holds; empty: from now on."))
    note = StringField(N_("Note"), description=N_("Why, such as the number of the regulator's letter."))

    def offer(self, operators: Sequence[Any]) -> None:
        """Offer these operators, and all of them together."""
        self.operator_id.choices = [
            SelectChoice("", N_("All operators")),
            *(
                SelectChoice(str(each.id), f"{each.code} · {each.name_fa if language() == 'fa' else each.name_en}")
                for each in operators
            ),
        ]

    def wanted(self, at: datetime) -> NewPolicy:
        """What was filled in."""
        return NewPolicy(
            policy=Policy(self.policy.data),
            operator_id=int(self.operator_id.data) if self.operator_id.data else None,
            free_messages=self.free_messages.data or 0,
            valid_from=start_of_day(self.valid_from.data) if self.valid_from.data else at,
            note=(self.note.data or "").strip(),
        )
