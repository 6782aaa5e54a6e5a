"""Forms of operators and gateways. Credentials are written and never shown again, not even what was just typed."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from wtforms import BooleanField, PasswordField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import ValidationError
from wtforms.widgets import TextInput

from sms.core.text import N_
from sms.core.web.forms import Filled, Form, IntField
from sms.core.web.i18n import _, language
from sms.operators.contract import FieldKind, SettingField
from sms.operators.queries import GatewayView
from sms.operators.rules import (
    COLOUR_LABELS,
    INBOUND_EVERY_SECONDS,
    ON_ABSENT_LABELS,
    SALE_MODE_LABELS,
    GatewaySettings,
    OnAbsent,
    SaleMode,
)

_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩٫،", "01234567890123456789.,")
_CREDENTIAL = "credential_"
_OWN = "own_"
_CREDENTIAL_LABELS = {
    "username": N_("User name at the operator"),
    "domain": N_("Domain"),
    "password": N_("Password"),
    "api_key": N_("API key"),
}
_SHOWABLE = frozenset({"username", "domain"})  # may be read while they are typed


def _choices(labels: Mapping[Any, str]) -> list[SelectChoice]:
    return [SelectChoice(str(value), label) for value, label in labels.items()]


class OperatorForm(Form):
    """What an operator is called and how it sells; its prefix is given once."""

    code = StringField(
        N_("Prefix"), [Filled()], description=N_("The digits all numbers of this operator begin with, such as 3000.")
    )
    name_fa = StringField(N_("Persian name"), [Filled()])
    name_en = StringField(N_("English name"), [Filled()])
    colour = SelectField(N_("Colour"), choices=_choices(COLOUR_LABELS), default="blue")
    sale_mode = SelectField(N_("How numbers are sold"), choices=_choices(SALE_MODE_LABELS))

    @property
    def names(self) -> tuple[str, str]:
        """Persian and English."""
        return str(self.name_fa.data or ""), str(self.name_en.data or "")

    @property
    def chosen_mode(self) -> SaleMode:
        """How its numbers are sold."""
        return SaleMode(self.sale_mode.data)


class SecretField(StringField):  # type: ignore[misc]
    """A text that is visible while it is typed and never sent back."""

    def _value(self) -> str:
        return ""


class SecondsField(StringField):  # type: ignore[misc]
    """A length of time in seconds, perhaps with a fraction, in any digits."""

    data: float | None
    widget = TextInput()
    mistake = N_("This is not a number of seconds.")

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read it; empty is None."""
        text = valuelist[0].strip().translate(_DIGITS) if valuelist else ""
        self.data = None
        if text:
            try:
                self.data = float(text)
            except ValueError:
                raise ValueError(_(self.mistake)) from None
            if not 0 <= self.data < 10**9:  # also refuses what is no number at all
                raise ValueError(_(self.mistake))

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return f"{self.data:g}" if self.data is not None else ""


class NumberField(SecondsField):
    """A number of anything else."""

    mistake = N_("This is not a number.")


class PlanField(StringField):  # type: ignore[misc]
    """Whole seconds, separated by blanks or commas."""

    data: Sequence[int] | None
    widget = TextInput()

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read them into a tuple."""
        text = valuelist[0].translate(_DIGITS).replace(",", " ") if valuelist else ""
        self.data = ()
        try:
            self.data = tuple(int(word) for word in text.split())
        except ValueError:
            raise ValueError(_("These are not whole seconds separated by blanks.")) from None

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return " ".join(str(seconds) for seconds in self.data or ())


def _is_storable(_form: Form, field: IntField) -> None:
    if field.data is not None and not -(2**31) < field.data < 2**31:
        raise ValidationError(_("This number is too large."))


class GatewaySettingsForm(Form):
    """What staff decide of one gateway; `gateway_form` adds the credentials of its adapter."""

    name = StringField(N_("Name"), [Filled()], description=N_("For your staff, such as “Magfa, main account”."))
    base_url = StringField(N_("Address of the web service"), [Filled()])
    batch_size = IntField(N_("Recipients in one request"), [Filled(), _is_storable])
    concurrency = IntField(N_("Requests at once"), [Filled(), _is_storable])
    timeout_seconds = SecondsField(
        N_("Time limit of a request"), [Filled()], description=N_("Seconds, for the whole exchange.")
    )
    slowest_accept_seconds = SecondsField(
        N_("Slowest acceptance"), [Filled()], description=N_("Seconds this operator may still need after a cut.")
    )
    lease_seconds = SecondsField(
        N_("Lease of a batch"),
        [Filled()],
        description=N_("Seconds; at least time limit + 2 × slowest acceptance + 5."),
    )
    polling_plan_seconds = PlanField(
        N_("Ages at which reports are asked for"),
        [Filled()],
        description=N_("Seconds after the send, such as 5 15 60; later at doubling ages."),
    )
    report_horizon_seconds = IntField(
        N_("Report horizon"),
        [Filled(), _is_storable],
        description=N_("Seconds after which no report is awaited any more. Magfa forgets after 24 hours: 82800."),
    )
    lookup_after_seconds = SecondsField(
        N_("Look-up of unknown fates"),
        [Filled()],
        description=N_("Seconds until a message without an answer is looked up."),
    )
    on_absent = SelectField(
        N_("When the operator does not know a message, asked twice"),
        choices=_choices(ON_ABSENT_LABELS),
        description=N_("Send again only when the operator promised that a repeated id is refused or told alike."),
    )

    inbound_every_seconds = IntField(
        N_("Texts to our lines are asked for every"),
        [_is_storable],
        description=N_("Seconds; empty for 15, 0 for never. An operator we stay bound to brings them by itself."),
    )

    @property
    def settings(self) -> GatewaySettings:
        """What was filled in; only of a form that validates."""
        named = [each.name for each in fields(GatewaySettings) if each.name != "own"]
        values: dict[str, Any] = {name: self[name].data for name in named}
        if values["inbound_every_seconds"] is None:
            values["inbound_every_seconds"] = INBOUND_EVERY_SECONDS
        values["own"] = {field.name.removeprefix(_OWN): field.data for field in self.own_fields}
        values |= {name: values[name].strip() for name in ("name", "base_url")}
        return GatewaySettings(**values | {"on_absent": OnAbsent(values["on_absent"])})

    @property
    def credential_fields(self) -> list[StringField]:
        """The fields of the adapter's credentials."""
        return [field for field in self if field.name.startswith(_CREDENTIAL)]

    @property
    def own_fields(self) -> list[StringField]:
        """The fields of the adapter's own settings."""
        return [field for field in self if field.name.startswith(_OWN)]

    @property
    def credentials(self) -> dict[str, str]:
        """What was typed of them, by name; empty ones too."""
        return {field.name.removeprefix(_CREDENTIAL): field.data or "" for field in self.credential_fields}

    def field_of(self, name: str) -> Any:
        """The field a refusal speaks of."""
        if name == "credentials":
            return self.credential_fields[0]
        return self._fields.get(name) or self._fields.get(_OWN + name)


class NewGatewayForm(GatewaySettingsForm):
    """A gateway that is added also says whose it is."""

    operator_id = SelectField(N_("Operator"), coerce=int)

    def offer(self, operators: Sequence[Any]) -> None:
        """Offer these operators."""
        self.operator_id.choices = [
            SelectChoice(each.id, f"{each.code} · {each.name_fa if language() == 'fa' else each.name_en}")
            for each in operators
        ]


def gateway_form(
    names: Sequence[str],
    *,
    own: Sequence[SettingField] = (),
    gateway: GatewayView | None = None,
    defaults: GatewaySettings | None = None,
) -> GatewaySettingsForm:
    """The form to add a gateway, or to change `gateway`, with the credentials called `names` and the adapter's own
    settings."""
    base = GatewaySettingsForm if gateway else NewGatewayForm
    more = {_CREDENTIAL + name: _credential_field(name, is_required=gateway is None) for name in names}
    more |= {_OWN + each.name: _own_field(each, gateway.settings if gateway else {}) for each in own}
    made: type[GatewaySettingsForm] = type(base.__name__, (base,), more)
    return made(obj=gateway or defaults)


def _own_field(wanted: SettingField, kept: Mapping[str, object]) -> Any:
    value = kept.get(wanted.name, wanted.default)
    match wanted.kind:
        case FieldKind.FLAG:
            return BooleanField(wanted.label, description=wanted.hint, default=bool(value))
        case FieldKind.CHOICE:
            choices = _choices(wanted.choices)
            return SelectField(wanted.label, description=wanted.hint, choices=choices, default=str(value))
        case FieldKind.NUMBER:
            return NumberField(wanted.label, [Filled()], description=wanted.hint, default=value)
        case FieldKind.TEXT:
            return StringField(wanted.label, description=wanted.hint, default=str(value))


def _credential_field(name: str, *, is_required: bool) -> StringField:
    kind = SecretField if name in _SHOWABLE else PasswordField
    return kind(
        _CREDENTIAL_LABELS.get(name, name),
        [Filled()] if is_required else [],
        render_kw={"autocomplete": "off" if kind is SecretField else "new-password", "spellcheck": "false"},
        filters=[lambda text: text.strip() if text else text] if kind is SecretField else [],
    )
