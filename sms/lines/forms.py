"""Forms of lines."""

from collections.abc import Mapping, Sequence
from typing import Any

from wtforms import BooleanField, SelectField, StringField
from wtforms.fields import SelectChoice

from sms.core.text import N_
from sms.core.web.forms import ClockField, Filled, FilterForm, Form, IntField
from sms.core.web.i18n import language
from sms.lines.links.rules import POLICY_LABELS, LinkPolicy
from sms.lines.operations import LineSettings
from sms.lines.queries import LineFilter
from sms.lines.rules import CLASS_LABELS, JOINED_UNITS, KIND_LABELS, LineKind, ServiceClass
from sms.operators.queries import GatewayView

ALL = SelectChoice("", N_("All"))
_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_UNITS_LABELS = {
    67: N_("67 characters (usual)"),
    66: N_("66 characters (this operator's wider header)"),
}


def _choices(labels: Mapping[Any, str]) -> list[SelectChoice]:
    return [SelectChoice(value if isinstance(value, int) else str(value), label) for value, label in labels.items()]


class OwnerForm(Form):
    """The account a line is handed to."""

    account = StringField(
        N_("User name of the customer"), [Filled()], description=N_("Of any user of the account that gets the line.")
    )


class LineForm(Form):
    """What may change on a line."""

    alias = StringField(N_("Name of the line"))
    service_class = SelectField(N_("Service class"), choices=_choices(CLASS_LABELS))
    joined_units = SelectField(
        N_("Characters in a part of a longer Persian text"),
        coerce=int,
        choices=_choices({units: _UNITS_LABELS[units] for units in JOINED_UNITS}),
    )
    is_active = BooleanField(N_("The line is on"), default=True)
    opens_at = ClockField(
        N_("Opens at"),
        description=N_(
            "Tehran time. A service line needs no hours; advertising is delivered from 07:00 to 22:00 at most, and "
            "08:00 to 22:00 is usual. Leave both empty for a line that is always open."
        ),
    )
    closes_at = ClockField(
        N_("Closes at"), description=N_("A send that is not through by then goes on at the next opening.")
    )
    per_second = IntField(
        N_("Messages a second at most"),
        description=N_("Over all sends of this line together. Empty: as fast as its gateway."),
    )

    links = SelectField(
        N_("Texts with links"),
        choices=_choices(POLICY_LABELS),
        default=str(LinkPolicy.ALLOWED),
        description=N_("As the operator has it for this line; permissions are granted on a page of their own."),
    )

    demands_suffix = SelectField(
        N_("Texts must end with how to opt out"),
        choices=_choices({"": N_("as the operator says"), "True": N_("yes"), "False": N_("no")}),
        description=N_("The words are the operator's; they are added where a text lacks them, and counted."),
        validate_choice=False,
    )

    @property
    def settings(self) -> LineSettings:
        """What was filled in."""
        return LineSettings(
            alias=self.alias.data or "",
            service_class=ServiceClass(self.service_class.data),
            joined_units=self.joined_units.data,
            is_active=self.is_active.data,
            opens_at=self.opens_at.data,
            closes_at=self.closes_at.data,
            per_second=self.per_second.data,
            links=LinkPolicy(self.links.data),
            demands_suffix={"True": True, "False": False}.get(self.demands_suffix.data or ""),
        )


class NewLineForm(LineForm):
    """A line that is added: its gateway says whose operator's it is."""

    gateway_id = SelectField(N_("Gateway"), coerce=int)
    number = StringField(
        N_("Number"), [Filled()], description=N_("In any spelling; it is stored without the country code.")
    )
    kind = SelectField(N_("Kind"), choices=_choices(KIND_LABELS))
    account = StringField(
        N_("User name of the customer"), description=N_("Of a dedicated line; leave empty to assign it later.")
    )

    def offer(self, gateways: Sequence[GatewayView]) -> None:
        """Offer these gateways."""
        self.gateway_id.choices = [SelectChoice(each.id, f"{each.operator_code} · {each.name}") for each in gateways]

    @property
    def chosen_kind(self) -> LineKind:
        """Public or dedicated."""
        return LineKind(self.kind.data)


class LinesFilterForm(FilterForm):
    """What the staff's list of lines is narrowed to."""

    operator = SelectField(N_("Operator"), validate_choice=True)
    kind = SelectField(N_("Kind"), choices=[ALL, *_choices(KIND_LABELS)])
    owner = SelectField(N_("Owner"), choices=[ALL, *_choices({"free": N_("Free"), "taken": N_("Assigned")})])
    state = SelectField(N_("State"), choices=[ALL, *_choices({"on": N_("On"), "off": N_("Off")})])
    number = StringField(N_("Number begins with"))

    @classmethod
    def over(cls, operators: Sequence[Any]) -> "LinesFilterForm":
        """The form as the address fills it, with these operators to choose from."""
        choices = [ALL] + [
            SelectChoice(str(each.id), f"{each.code} · {each.name_fa if language() == 'fa' else each.name_en}")
            for each in operators
        ]
        made = type("LinesFilterForm", (cls,), {"operator": SelectField(N_("Operator"), choices=choices)})
        return made.read()  # type: ignore[no-any-return, attr-defined]

    @property
    def wanted(self) -> LineFilter:
        """The filter."""
        return LineFilter(
            operator_id=int(self.operator.data) if self.operator.data else None,
            kind=self.kind.data or "",
            owner=self.owner.data or "",
            is_active={"on": True, "off": False}.get(self.state.data),
            number=(self.number.data or "").strip().translate(_DIGITS),
        )
