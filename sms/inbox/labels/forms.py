"""Forms of labels."""

from wtforms import SelectChoice, SelectField, StringField
from wtforms.validators import Length

from sms.core.text import N_
from sms.core.web.forms import Filled, Form
from sms.inbox.labels.rules import NAME_LENGTH
from sms.operators.rules import COLOUR_LABELS


class LabelForm(Form):
    """A label's name and colour."""

    name = StringField(N_("Name of the label"), [Filled(), Length(max=NAME_LENGTH)])
    colour = SelectField(N_("Colour"), choices=[SelectChoice(colour, label) for colour, label in COLOUR_LABELS.items()])
