"""Forms of bank slips."""

from datetime import date

from flask_wtf.file import FileField
from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import ValidationError

from sms.billing.slips.operations import NewSlip
from sms.billing.slips.rules import BANK_LABELS, STATE_LABELS, Bank
from sms.core.text import N_
from sms.core.web.forms import DayField, Filled, FilterForm, Form, MoneyField
from sms.core.web.i18n import _


class SlipForm(Form):
    """A slip that is handed in."""

    bank = SelectField(N_("Bank"), choices=[SelectChoice(str(code), label) for code, label in BANK_LABELS.items()])
    tracking = StringField(
        N_("Tracking number"),
        [Filled()],
        render_kw={"autocomplete": "off"},
        description=N_("As it stands on the slip."),
    )
    paid_on = DayField(N_("Paid on"), [Filled()])
    amount = MoneyField(N_("Amount paid"), [Filled()])
    file = FileField(
        N_("File"),
        render_kw={"accept": "image/jpeg,image/png,application/pdf"},
        description=N_("A photo (JPEG or PNG) or a PDF of the slip, 5 MB at most."),
    )

    def validate_file(self, field: FileField) -> None:
        """There must be one."""
        if not (field.data and field.data.filename):
            raise ValidationError(_("Choose a file."))

    @property
    def wanted(self) -> NewSlip:
        """What was handed in."""
        return NewSlip(
            bank=Bank(self.bank.data),
            tracking=self.tracking.data or "",
            paid_on=self.paid_on.data or date.min,
            total_mrial=self.amount.data or 0,
            file_name=self.file.data.filename,
            stream=self.file.data.stream,
        )


class RejectForm(Form):
    """Why a slip will not do."""

    reason = TextAreaField(N_("Reason"), [Filled()], render_kw={"rows": 2}, description=N_("The customer reads this."))


class SlipListForm(FilterForm):
    """What the list of an approver is narrowed to."""

    state = SelectField(
        N_("State"),
        choices=[
            SelectChoice("", N_("Any")),
            *(SelectChoice(str(code), label) for code, label in STATE_LABELS.items()),
        ],
    )
