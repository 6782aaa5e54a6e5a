"""Hands an e-mail to a mail server, and tells a mailbox that is refused from a server that cannot be spoken to."""

import smtplib
import ssl
from email.message import EmailMessage
from typing import NamedTuple

from sms.core.errors import SmsError
from sms.core.text import N_

TIMEOUT_SECONDS = 15.0
_REFUSED_FOR_GOOD = 500

MAILBOX_REFUSED = N_("The mail server refused the mailbox or the e-mail.")
SIGN_IN_REFUSED = N_("The mail server refused our user name and password.")
SERVER_AWAY = N_("The mail server could not be spoken to.")


class Server(NamedTuple):
    """Where e-mails are handed over; `security` is none, starttls or tls."""

    host: str
    port: int
    security: str
    username: str = ""
    password: str = ""


class NotMailed(SmsError):
    """It was not handed over; `is_final` when trying again is of no use."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


def send(message: EmailMessage, server: Server) -> None:
    """Hand one e-mail over; raises NotMailed."""
    try:
        with _connected(server) as connection:
            if server.username:
                connection.login(server.username, server.password)
            connection.send_message(message)
    except smtplib.SMTPAuthenticationError:
        raise NotMailed(SIGN_IN_REFUSED) from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise NotMailed(MAILBOX_REFUSED, is_final=all(code >= _REFUSED_FOR_GOOD for code in codes)) from None
    except smtplib.SMTPResponseException as error:
        raise NotMailed(MAILBOX_REFUSED, is_final=error.smtp_code >= _REFUSED_FOR_GOOD) from None
    except (smtplib.SMTPException, OSError):
        raise NotMailed(SERVER_AWAY) from None


def _connected(server: Server) -> smtplib.SMTP:
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
    connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
    if server.security == "starttls":
        connection.starttls(context=ssl.create_default_context())
    return connection
