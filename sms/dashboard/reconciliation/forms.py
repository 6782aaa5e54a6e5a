"""What staff type into reconciliation: credit that was bought, statements, explanations."""

from datetime import date, datetime, time
from typing import Any

from flask_wtf.file import FileField
from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length

from sms.core.calendar import TEHRAN
from sms.core.text import N_
from sms.core.web.forms import ClockField, DayField, Filled, FilterForm, Form, MoneyField
from sms.dashboard.reconciliation.rules import KIND_LABELS, LONGEST_NOTE, OF_STATEMENT, REASON_LABELS, Kind, Reason

_ANY = SelectChoice("", N_("Any"))
_KINDS = [SelectChoice(str(kind), KIND_LABELS[kind]) for kind in OF_STATEMENT]
_REASONS = [SelectChoice(str(reason), label) for reason, label in REASON_LABELS.items()]
OPEN, EXPLAINED = "open", "explained"
_NOTE = Length(max=LONGEST_NOTE, message=N_("The note is too long."))


class DaysForm(FilterForm):
    """Which gateway, and the last day that is shown."""

    gateway_id = SelectField(N_("Gateway"), default="")
    until = DayField(N_("To day"))

    def __init__(self, *args: Any, gateways: Any = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gateway_id.choices = [_ANY, *(SelectChoice(str(each.id), each.name) for each in gateways)]


class DifferencesForm(FilterForm):
    """Which of a day's differences are shown."""

    kind = SelectField(N_("Kind"), choices=[_ANY, *_KINDS], default="")
    state = SelectField(
        N_("State"),
        choices=[_ANY, SelectChoice(OPEN, N_("Open")), SelectChoice(EXPLAINED, N_("Explained"))],
        default="",
    )

    @property
    def is_open(self) -> bool | None:
        """As the queries take it."""
        return None if not self.state.data else bool(self.state.data == OPEN)


class PurchaseForm(Form):
    """We bought credit."""

    amount = MoneyField(N_("Amount"), [Filled()], description=N_("With a minus: credit that the operator took back."))
    clock = ClockField(N_("Time"), [Filled()], description=N_("When the operator credited it, Tehran time."))
    note = StringField(N_("Note"), [_NOTE], id="purchase-note")

    def bought_at(self, day: date) -> datetime:
        """The moment, on this day."""
        return datetime.combine(day, self.clock.data or time(), tzinfo=TEHRAN)


class StatementForm(Form):
    """A file to read."""

    file = FileField(
        N_("The operator's statement, XLSX or CSV"), render_kw={"data-dropzone": "", "accept": ".xlsx,.csv,.txt"}
    )


class ExplainForm(Form):
    """Why a difference is there."""

    reason = SelectField(N_("Reason"), choices=_REASONS)
    note = StringField(N_("Note"), [_NOTE])

    @property
    def chosen(self) -> Reason:
        """The reason."""
        return Reason(self.reason.data)


class ExplainAllForm(ExplainForm):
    """Why all open differences of a kind are there."""

    kind = SelectField(N_("All open ones of this kind"), choices=_KINDS, id="all-kind")
    reason = SelectField(N_("Reason"), choices=_REASONS, id="all-reason")
    note = StringField(N_("Note"), [_NOTE], id="all-note")

    @property
    def chosen_kind(self) -> Kind:
        """The kind."""
        return Kind(self.kind.data)
