"""Forms of sign-in, sign-up, one's own account and the staff's pages; and who is asking."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import request
from flask_login import current_user
from wtforms import HiddenField, PasswordField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, NumberRange, Optional

from sms.accounts.rules import (
    ACTION_LABELS,
    KIND_LABELS,
    LANGUAGE_LABELS,
    ROLE_LABELS,
    STATE_LABELS,
    UNIT_LABELS,
    By,
    NewUser,
    Role,
    UnusableName,
    UsernameTaken,
    clean_text,
)
from sms.core import clock
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web.forms import Filled, FilterForm, Form, IntField, PhoneField, refuse
from sms.core.web.i18n import _

ANY = SelectChoice("", N_("All"))
# The audit is this capability's, the words for what others write into it are the page's.
AUDITED: dict[str, str] = ACTION_LABELS | {
    "account.closed": N_("Account closed"),
    "look.begun": N_("Signed in as this account’s user"),
    "look.ended": N_("Left this account again"),
    "money.adjusted": N_("Balance adjusted"),
    "money.limit_changed": N_("Credit limit changed"),
    "money.given": N_("Credit given"),
    "money.taken": N_("Credit taken back"),
    "money.profit_paid": N_("Profit paid out"),
    "price_list.added": N_("Price for sub-accounts added"),
    "price_list.ended": N_("Price for sub-accounts ended"),
    "money.reversed": N_("Transfer reversed"),
    "money.warning_set": N_("Warning of a low balance changed"),
    "operator.added": N_("Operator added"),
    "operator.changed": N_("Operator changed"),
    "gateway.added": N_("Gateway added"),
    "gateway.changed": N_("Gateway changed"),
    "gateway.resumed": N_("Gateway resumed"),
    "gateway.stopped": N_("Gateway stopped"),
    "gateway.switched_on": N_("Gateway switched on"),
    "gateway.switched_off": N_("Gateway switched off"),
    "gateway.learnt": N_("Gateway learnt a setting by itself"),
    "gateway.opened": N_("Gateway stopped by its own judgement"),
    "gateway.closed": N_("Gateway sends again by its own judgement"),
    "gateway.held": N_("Gateway held back"),
    "gateway.forced": N_("Gateway made to send whatever happens"),
    "gateway.released": N_("Gateway given back to its own judgement"),
    "gateway.limits": N_("Limits of a gateway changed"),
    "line.texts_push_made": N_("Address for texts made"),
    "line.texts_push_renewed": N_("Address for texts renewed"),
    "line.texts_push_closed": N_("Address for texts closed"),
    "line.texts_push_bound": N_("Senders of pushed texts narrowed"),
    "automation.added": N_("Automation added"),
    "automation.changed": N_("Automation changed"),
    "automation.moved": N_("Automation moved in its order"),
    "automation.switched_on": N_("Automation switched on"),
    "automation.switched_off": N_("Automation switched off"),
    "automation.removed": N_("Automation removed"),
    "automation.codes_imported": N_("Codes read in"),
    "automation.codes_removed": N_("Unused codes removed"),
    "automation.drawn": N_("Winners drawn"),
    "automation.loop_policy_set": N_("Limit of automatic replies changed"),
    "texts.address_added": N_("Address that texts go on to added"),
    "texts.address_changed": N_("Address that texts go on to changed"),
    "texts.address_switched_on": N_("Address that texts go on to switched on"),
    "texts.address_switched_off": N_("Address that texts go on to switched off"),
    "texts.address_secret_renewed": N_("Secret of an address that texts go on to renewed"),
    "texts.address_removed": N_("Address that texts go on to removed"),
    "texts.mail_server_set": N_("Mail server set"),
    "gateway.push_made": N_("Address for reports made"),
    "gateway.push_renewed": N_("Address for reports renewed"),
    "gateway.push_closed": N_("Address for reports closed"),
    "gateway.push_bound": N_("Senders of reports narrowed"),
    "line.added": N_("Line added"),
    "line.changed": N_("Line changed"),
    "line.suffix_changed": N_("Words that tell how to opt out changed"),
    "contacts.word_added": N_("Word that opts out or in added"),
    "contacts.word_removed": N_("Word that opts out or in removed"),
    "contacts.opt_out_removed": N_("Taken off the list of those not to write to"),
    "line.assigned": N_("Line assigned"),
    "line.shared": N_("Line shared"),
    "line.share_ended": N_("Shared line taken back"),
    "lines.plan_set": N_("Usual way on changed"),
    "lines.public_policy_set": N_("Policy of public lines set"),
    "line.taken_back": N_("Line taken back"),
    "line.renewed": N_("Line renewed"),
    "line.suspended": N_("Line suspended, not renewed"),
    "line_format.set": N_("Line format set"),
    "line_prices.set": N_("Line prices set"),
    "line_prices.undone": N_("Line prices taken back"),
    "line_numbers.added": N_("Numbers for sale added"),
    "line_number.changed": N_("Number for sale changed"),
    "line_number.removed": N_("Number for sale removed"),
    "order.placed": N_("Line ordered"),
    "order.quoted": N_("Line order quoted"),
    "order.approved": N_("Line order approved"),
    "order.purchased": N_("Ordered line bought"),
    "order.active": N_("Ordered line handed over"),
    "order.rejected": N_("Line order turned down"),
    "order.expired": N_("Quote of a line ran out"),
    "order.cancelled": N_("Line order cancelled"),
    "document.uploaded": N_("Document handed in"),
    "document.approved": N_("Document accepted"),
    "document.rejected": N_("Document turned down"),
    "document.removed": N_("Document removed"),
    "document.needed": N_("Document asked for in orders"),
    "document.not_needed": N_("Document asked for no longer"),
    "document.opened": N_("Document opened"),
    "document.code_opened": N_("National code opened"),
    "tariff.added": N_("Tariff added"),
    "tariff.ended": N_("Tariff ended"),
    "refund_rule.added": N_("Refund rule added"),
    "refund_rule.ended": N_("Refund rule ended"),
    "campaign.paused": N_("Send paused"),
    "campaign.resumed": N_("Send resumed"),
    "campaign.scheduled": N_("Send moved to another time"),
    "campaign.cancelled": N_("Rest of a send cancelled"),
    "campaign.moved": N_("Send went over to another line"),
    "messages.decided": N_("Fate of messages decided"),
    "alert.acknowledged": N_("Alert acknowledged"),
    "alert.policy": N_("Limits of alerts changed"),
    "credit.bought": N_("Credit bought from an operator"),
    "credit.voided": N_("Purchase of credit struck out"),
    "difference.explained": N_("Difference from an operator explained"),
    "differences.explained": N_("Differences from an operator explained"),
    "payment_gateway.added": N_("Payment gateway added"),
    "payment_gateway.changed": N_("Payment gateway changed"),
    "slip.handed_in": N_("Bank slip handed in"),
    "slip.opened": N_("Bank slip opened"),
    "slip.approved": N_("Bank slip approved"),
    "slip.rejected": N_("Bank slip turned down"),
    "statement.imported": N_("Statement of an operator read in"),
    "statement.voided": N_("Statement of an operator struck out"),
    "tax.added": N_("Tax rate added"),
    "tier.added": N_("Discount tier added"),
    "tier.set_by_hand": N_("Discount set by hand"),
    "topup.policy_changed": N_("Limits of top-ups changed"),
    "topup.told": N_("Payment decided by hand"),
    "brand.set": N_("Brand changed"),
    "domain.asked": N_("Domain asked for"),
    "domain.proven": N_("Domain leads to the panel"),
    "domain.approved": N_("Domain approved"),
    "domain.removed": N_("Domain given up"),
    "sign_up.opened": N_("Sign-up opened"),
    "sign_up.closed": N_("Sign-up closed"),
    "invoice.issued": N_("Invoice issued"),
    "invoice.party_changed": N_("Details for invoices changed"),
    "lines.links_permission_ended": N_("Permission to send links ended"),
    "lines.links_permitted": N_("Permission to send links given"),
    "link.added": N_("Link added"),
    "link.changed": N_("Link changed"),
    "link.switched": N_("Link switched on or off"),
    "links.agent": N_("Known reader of links added"),
    "links.agent_removed": N_("Known reader of links removed"),
    "links.domain": N_("Domain of links listed"),
    "links.domain_ended": N_("Domain of links taken off the list"),
    "links.settings": N_("Settings of links changed"),
    "installation.restored": N_("Backup restored"),
}
_NAME = [Filled(), Length(max=100, message=N_("Use at most 100 characters."))]
_OPTIONAL_NAME = [Optional(), Length(max=100, message=N_("Use at most 100 characters."))]
_USERNAME_KW = {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "maxlength": 60}
_NEW_PASSWORD_KW = {"autocomplete": "new-password", "maxlength": 400}


def _choices(labels: Mapping[str, str]) -> list[SelectChoice]:
    return [SelectChoice(str(value), label) for value, label in labels.items()]


def by() -> By:
    """Who asks, when and from where."""
    return By(
        actor_id=current_user.id if current_user.is_authenticated else None,
        at=clock.now(),
        address=request.remote_addr or "",
        agent=request.user_agent.string,
    )


def told_resumed(is_open: bool) -> tuple[str, str]:
    """What is said once a suspension was taken back, and in which tone."""
    if is_open:
        return _("The account is active again."), "success"
    return _("Your suspension is taken back; another one still keeps the account out."), "warning"


class SignInForm(Form):
    """Who are you?"""

    username = StringField(N_("Username"), [Filled()], render_kw=_USERNAME_KW | {"autofocus": True})
    password = PasswordField(
        N_("Password"), [Filled()], render_kw={"autocomplete": "current-password", "maxlength": 400}
    )
    next = HiddenField()


class SignUpForm(Form):
    """A new customer and its first user."""

    account_name = StringField(
        N_("Business name"), _NAME, filters=[clean_text], render_kw={"autocomplete": "organization"}
    )
    full_name = StringField(N_("Your name"), _NAME, filters=[clean_text], render_kw={"autocomplete": "name"})
    mobile = PhoneField(N_("Mobile"), [Filled()], render_kw={"autocomplete": "tel"})
    username = StringField(N_("Username"), [Filled()], render_kw=_USERNAME_KW)
    password = PasswordField(N_("Password"), [Filled()], render_kw=_NEW_PASSWORD_KW)


class ProfileForm(Form):
    """What a user says of themselves."""

    full_name = StringField(N_("Your name"), _NAME, filters=[clean_text], render_kw={"autocomplete": "name"})
    mobile = PhoneField(N_("Mobile"), [Optional()], render_kw={"autocomplete": "tel"})
    language = SelectField(N_("Language"), choices=_choices(LANGUAGE_LABELS))


class AccountForm(Form):
    """What an owner says of the account."""

    name = StringField(N_("Business name"), _NAME, filters=[clean_text], render_kw={"autocomplete": "organization"})
    money_unit = SelectField(N_("Money is shown in"), choices=_choices(UNIT_LABELS))


class PasswordForm(Form):
    """The old and the new one."""

    current = PasswordField(
        N_("Current password"), [Filled()], render_kw={"autocomplete": "current-password", "maxlength": 400}
    )
    new = PasswordField(N_("New password"), [Filled()], render_kw=_NEW_PASSWORD_KW)


class LanguageForm(Form):
    """Another language, and the page to come back to."""

    language = SelectField(N_("Language"), choices=_choices(LANGUAGE_LABELS))
    next = HiddenField()


# The staff's


class AccountFilter(FilterForm):
    """Which accounts are listed."""

    search = StringField(N_("Name, username or mobile"), [Length(max=100)], filters=[clean_text])
    kind = SelectField(N_("Kind"), choices=[ANY, *_choices(KIND_LABELS)], default="")
    state = SelectField(N_("State"), choices=[ANY, *_choices(STATE_LABELS)], default="")


class AuditFilter(FilterForm):
    """Which lines of the audit are listed."""

    account = IntField(N_("Account number"), [Optional(), NumberRange(min=1, max=2**62)])
    action = SelectField(N_("Action"), default="")

    def __init__(self, *args: Any, actions: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.action.choices = [ANY, *_choices({action: AUDITED.get(action, action) for action in actions})]


class _PersonForm(Form):
    """Somebody who will sign in; the password is made, not typed."""

    full_name = StringField(N_("Full name"), _OPTIONAL_NAME, filters=[clean_text])
    mobile = PhoneField(N_("Mobile"), [Optional()])
    username = StringField(
        N_("Username"), [Filled()], render_kw={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
    )

    def person(self, *, password: str, role: Role = Role.OWNER) -> NewUser:
        """As the operations take it, with a password to be changed at the first sign-in."""
        return NewUser(
            username=str(self.username.data),
            password=password,
            full_name=str(self.full_name.data),
            mobile=self.mobile.data,
            role=role,
            is_one_time=True,
        )

    def refused(self, error: SmsError) -> None:
        """Say why not, beside the field it is about."""
        refuse(self, error, self.username if isinstance(error, UsernameTaken | UnusableName) else None)


class NewAccountForm(_PersonForm):
    """An account opened from above."""

    kind = SelectField(N_("Kind"), choices=_choices({kind: KIND_LABELS[kind] for kind in ("customer", "reseller")}))
    parent = SelectField(N_("Below"), coerce=int)
    name = StringField(N_("Business name"), _NAME, filters=[clean_text])
    full_name = StringField(N_("Owner's name"), _OPTIONAL_NAME, filters=[clean_text])

    def __init__(self, *args: Any, parents: Mapping[int, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parent.choices = [SelectChoice(account_id, name) for account_id, name in parents.items()]


class NewUserForm(_PersonForm):
    """One more user of an account."""

    role = SelectField(N_("Role"), choices=_choices(ROLE_LABELS), default="member")


class ReasonForm(Form):
    """Why; kept in the audit."""

    reason = StringField(
        N_("Reason"), [Filled(), Length(max=300, message=N_("Use at most 300 characters."))], filters=[clean_text]
    )
