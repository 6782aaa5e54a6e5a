"""What is asked before somebody signs in as somebody else."""

from wtforms import RadioField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length

from sms.accounts.looks.rules import LONGEST_REASON
from sms.accounts.rules import clean_text
from sms.core.text import N_
from sms.core.web.forms import Filled, Form

READ, ACT = "read", "act"


class LookForm(Form):
    """Why, and whether more than to look."""

    reason = StringField(
        N_("Reason"),
        [Filled(), Length(max=LONGEST_REASON, message=N_("Use at most 300 characters."))],
        filters=[clean_text],
        description=N_("The customer reads it, with your name."),
    )
    way = RadioField(
        N_("What you may do there"),
        choices=[
            SelectChoice(READ, N_("Only look")),
            SelectChoice(ACT, N_("Also act: prepare sends, pause them, name lines; never money or credentials")),
        ],
        default=READ,
    )
