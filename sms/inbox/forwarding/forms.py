"""Forms of addresses that texts go on to, and of the mail server."""

from wtforms import BooleanField, PasswordField, SelectChoice, SelectField, StringField

from sms.core.text import N_
from sms.core.web.forms import Filled, Form, IntField
from sms.inbox.forwarding.operations.mails import NewServer
from sms.inbox.forwarding.rules import SECURITY_LABELS, Security


class HookForm(Form):
    """An address."""

    name = StringField(N_("Name"), [Filled()], render_kw={"maxlength": 100})
    url = StringField(
        N_("Address"),
        [Filled()],
        description=N_("https:// and port 443 or 8443; addresses of private networks are refused."),
        render_kw={"maxlength": 500, "dir": "ltr", "inputmode": "url"},
    )
    takes_all = BooleanField(
        N_("Every text of the line goes there; otherwise only what an automation chooses"), default=True
    )


class MailServerForm(Form):
    """The server that e-mails leave through."""

    host = StringField(N_("Server"), [Filled()], render_kw={"dir": "ltr"})
    port = IntField(N_("Port"), [Filled()], default=587)
    security = SelectField(
        N_("Security"), choices=[SelectChoice(str(code), label) for code, label in SECURITY_LABELS.items()]
    )
    username = StringField(N_("User name"), render_kw={"dir": "ltr", "autocomplete": "off"})
    password = PasswordField(
        N_("Password"),
        description=N_("It is sealed and never shown again; empty: as before."),
        render_kw={"autocomplete": "new-password"},
    )
    sender = StringField(N_("Sender's e-mail address"), [Filled()], render_kw={"dir": "ltr", "inputmode": "email"})

    @property
    def wanted(self) -> NewServer:
        """What was filled in."""
        return NewServer(
            host=self.host.data or "",
            port=self.port.data or 0,
            security=Security(self.security.data),
            username=(self.username.data or "").strip(),
            password=self.password.data or "",
            sender=(self.sender.data or "").strip(),
        )
