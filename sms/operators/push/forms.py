"""The form of where reports may come from."""

from wtforms import StringField

from sms.core.text import N_
from sms.core.web.forms import Form


class PushForm(Form):
    """The networks reports are taken from."""

    addresses = StringField(
        N_("IP addresses the reports come from"),
        description=N_("Addresses and networks separated by blanks; empty: from anywhere. The secret stays needed."),
    )
