"""Forms of the health of gateways: a decision for a time, and limits."""

from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice

from sms.core.text import N_
from sms.core.web.forms import Filled, Form, MoneyField
from sms.operators.forms import NumberField
from sms.operators.health.rules.breaker import BreakerState
from sms.operators.health.rules.judging import OVERRIDE_MINUTES


class OverrideForm(Form):
    """What a gateway does for a time, whatever it thinks itself."""

    state = SelectField(
        N_("What it does"),
        choices=[
            SelectChoice(str(BreakerState.OPEN), N_("Send nothing; what is queued waits")),
            SelectChoice(str(BreakerState.CLOSED), N_("Send, whatever happens")),
        ],
    )
    minutes = SelectField(
        N_("For how long"),
        coerce=int,
        choices=[
            SelectChoice(minutes, label)
            for minutes, label in zip(
                OVERRIDE_MINUTES, (N_("15 minutes"), N_("1 hour"), N_("4 hours"), N_("1 day")), strict=True
            )
        ],
    )
    reason = StringField(N_("Reason"), [Filled()], description=N_("Your colleagues read it in the history."))


class LimitsForm(Form):
    """How fast it may go, and when staff are told of its credit."""

    per_second = NumberField(
        N_("Requests a second"),
        description=N_("Sends and questions about reports together; sends go first. Empty: no limit."),
    )
    credit_alert_mrial = MoneyField(
        N_("Tell us when the credit falls below"), description=N_("In rial. Empty: only when nothing is left.")
    )
