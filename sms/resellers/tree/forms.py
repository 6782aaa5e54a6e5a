"""What a reseller's list is narrowed to; what is typed into a sub-account are the accounts' own forms."""

from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length

from sms.accounts.forms import ANY
from sms.accounts.rules import KIND_LABELS, STATE_LABELS, clean_text
from sms.core.text import N_
from sms.core.web.forms import FilterForm


class SubAccountFilter(FilterForm):
    """Which accounts below are listed."""

    search = StringField(N_("Name, username or mobile"), [Length(max=100)], filters=[clean_text])
    kind = SelectField(
        N_("Kind"),
        choices=[ANY, *(SelectChoice(kind, KIND_LABELS[kind]) for kind in ("reseller", "customer"))],
        default="",
    )
    state = SelectField(
        N_("State"),
        choices=[ANY, *(SelectChoice(str(state), label) for state, label in STATE_LABELS.items())],
        default="",
    )
