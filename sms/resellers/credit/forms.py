"""What is typed into the credit of a sub-account."""

from wtforms import HiddenField, RadioField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Regexp

from sms.accounts.rules import clean_text
from sms.core.text import N_
from sms.core.web.forms import Filled, Form, MoneyField
from sms.ledger.forms import within
from sms.ledger.rules import LONGEST_REASON, MOST_MRIAL

GIVE, TAKE = "give", "take"


class CreditForm(Form):
    """Credit given or taken back. The nonce names this one act: sent twice, it has one effect."""

    nonce = HiddenField(validators=[Regexp(r"^[A-Za-z0-9_-]{16,64}$")])
    direction = RadioField(
        N_("What is done"),
        choices=[SelectChoice(GIVE, N_("Give credit")), SelectChoice(TAKE, N_("Take credit back"))],
        default=GIVE,
    )
    amount = MoneyField(N_("Amount"), [Filled(), within(1, MOST_MRIAL, N_("State an amount above zero."))])
    reason = StringField(
        N_("Reason"),
        [Filled(), Length(max=LONGEST_REASON, message=N_("The reason is too long."))],
        filters=[clean_text],
        description=N_("Both of you read it in the statement."),
    )

    @property
    def amount_mrial(self) -> int:
        """Above zero where credit is given."""
        return (self.amount.data or 0) * (1 if self.direction.data == GIVE else -1)


class WarningForm(Form):
    """From which balance on somebody is warned."""

    threshold = MoneyField(
        N_("Warn when less can be spent than"),
        [within(0, MOST_MRIAL, N_("State an amount of zero or more."))],
        description=N_("Told on the home pages of this account and of the one above it. Empty: nobody is warned."),
    )
