"""The button that pays profit out."""

from wtforms import HiddenField
from wtforms.validators import Length

from sms.core.web.forms import Filled, Form


class PayOutForm(Form):
    """Names this one act, so that it has one effect however often it is sent."""

    nonce = HiddenField(validators=[Filled(), Length(max=64)])
