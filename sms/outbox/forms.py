"""What is typed into the pages of sending, and what their lists are narrowed to."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask_wtf.file import FileField
from wtforms import FieldList, RadioField, SelectChoice, SelectField, StringField, TextAreaField
from wtforms.validators import Length, Optional, ValidationError

from sms.contacts.queries import Group
from sms.core.calendar import TEHRAN, next_day, start_of_day
from sms.core.parts import measure
from sms.core.sheets import limits
from sms.core.text import N_
from sms.core.web.filters import digits, money_text, number_text
from sms.core.web.forms import ClockField, DayField, Filled, FilterForm, Form, MoneyField, PhoneField
from sms.core.web.i18n import _, language, say
from sms.lines.own.rules import PlanStep, cap_mrial
from sms.lines.queries import UsableLine
from sms.links.queries import LinkView
from sms.links.rules.codes import OWN_LENGTH, PATH, PLACE, with_address
from sms.operators.rules import OUTCOME_LABELS
from sms.outbox.queries.campaigns import CampaignFilter
from sms.outbox.queries.messages import MessageFilter
from sms.outbox.queries.preview import LinePreview, Preview
from sms.outbox.rules import (
    CAMPAIGN_LABELS,
    MAX_PARTS,
    OUT_OF_HOURS_LABELS,
    PROGRESS_LABELS,
    OutOfHours,
    PlanLine,
    Terms,
)

_ANY = SelectChoice("", N_("Any"))
_PLANNED = 3  # further lines that the page offers


def _choices(labels: Mapping[Any, str]) -> list[SelectChoice]:
    """Codes to choose one of, or none."""
    return [_ANY, *(SelectChoice(str(code), label) for code, label in labels.items())]


def _normal(text: str | None) -> str:
    """One way to break lines: a browser sends two characters for each, and both would be paid for."""
    return (text or "").replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


class DraftForm(Form):
    """The words of a send."""

    title = StringField(
        N_("Title"), [Optional(), Length(max=100)], description=N_("For your own lists; recipients do not see it.")
    )
    body = TextAreaField(N_("Text"), [Filled()], filters=[_normal], render_kw={"rows": 5, "data-count-parts": ""})

    link_id = SelectField(N_("Link"), validate_choice=False, default="")
    base = ""  # where short addresses begin

    def offer_links(self, links: Sequence[LinkView], *, base: str) -> None:
        """Fill in the links to choose from; the counter beside the text counts an address at its place."""
        self.base = base
        self.link_id.choices = [
            SelectChoice("", N_("No link")),
            *(SelectChoice(str(each.id), each.name) for each in links),
        ]
        self.link_id.description = _("Write %(place)s in the text where it should stand.", place=PLACE)
        length = len(f"{base}{PATH}") + OWN_LENGTH
        self.body.render_kw = {**self.body.render_kw, "data-place": PLACE, "data-place-length": str(length)}

    @property
    def link(self) -> int | None:
        """The link that was chosen."""
        return int(self.link_id.data) if (self.link_id.data or "").isdecimal() else None

    def validate_body(self, field: TextAreaField) -> None:
        """No longer than the strictest operator takes."""
        parts = measure(with_address(field.data, self.base)).parts
        if parts > MAX_PARTS:
            raise ValidationError(
                _(
                    "The text has %(parts)s parts; an operator takes %(most)s at most.",
                    parts=number_text(parts),
                    most=number_text(MAX_PARTS),
                )
            )


class ComposeForm(DraftForm):
    """A new send: its words, its line, and its recipients typed, as a file, or those of a group."""

    line_id = SelectField(N_("Line"), [Filled()], coerce=int)
    recipients = TextAreaField(
        N_("Recipients"),
        render_kw={"rows": 6, "inputmode": "tel", "spellcheck": "false"},
        description=N_("One number a line, or parted by commas or spaces; any usual way of writing them."),
    )
    target = StringField(
        N_("or a new address"),
        [Optional()],
        description=N_("A long address; it becomes a short link of its own for each recipient."),
        render_kw={"inputmode": "url"},
    )
    file = FileField(
        N_("or a file"),
        render_kw={"data-dropzone": "", "accept": ".csv,.txt,.xlsx"},
        description=N_("CSV, TXT or XLSX, up to 1,000,000 rows and 50 MB."),
    )
    group_id = SelectField(N_("or a group"), description=N_("Its members as they are now; doubles cannot be in it."))

    def offer_groups(self, groups: Sequence[Group]) -> None:
        """Fill in the groups to choose from, those that have members."""
        self.group_id.choices = [SelectChoice("", N_("No group"))]
        self.group_id.choices += [
            SelectChoice(str(each.id), f"{each.name} · {number_text(each.member_count)}")
            for each in groups
            if each.member_count
        ]

    @property
    def has_file(self) -> bool:
        """Whether a file came with it."""
        return bool(self.file.data and self.file.data.filename)

    def validate_target(self, field: StringField) -> None:
        """Chosen or new: the one or the other."""
        if (field.data or "").strip() and self.link_id.data:
            raise ValidationError(_("Choose a link or write a new address, not both."))

    def validate_recipients(self, field: TextAreaField) -> None:
        """Typed, a file or a group: one of them."""
        given = [self.has_file, bool((field.data or "").strip()), bool(self.group_id.data)]
        if not any(given):
            raise ValidationError(_("Type the numbers, or choose a file or a group."))
        if sum(given) > 1:
            raise ValidationError(_("Type the numbers, or choose a file or a group: only one of them."))

    def validate_file(self, field: FileField) -> None:
        """What is too large is not read."""
        if self.has_file:
            stream = field.data.stream
            size = stream.seek(0, 2)
            stream.seek(0)
            if size > limits.MAX_FILE_BYTES:
                raise ValidationError(say(limits.too_large()))


def line_name(line: UsableLine) -> str:
    """A line as one chooses it: its number, the name its owner gave it, its operator."""
    name = line.operator_name_fa if language() == "fa" else line.operator_name_en
    return " · ".join(filter(None, (digits(line.number), line.alias, name)))


class ScheduleForm(Form):
    """When a send is to begin, on Tehran's clock."""

    day = DayField(N_("Day"), [Optional()])
    clock = ClockField(N_("Time of day"), [Optional()], description=N_("Tehran time, such as 08:30."))

    @property
    def moment(self) -> datetime | None:
        """The moment; None when both were left empty."""
        if self.day.data is None or self.clock.data is None:
            return None
        return datetime.combine(self.day.data, self.clock.data, tzinfo=TEHRAN)

    def validate(self, extra_validators: Any = None) -> bool:
        """Both or neither: half a moment is none."""
        is_valid = bool(super().validate(extra_validators))
        for field, other in ((self.day, self.clock), (self.clock, self.day)):
            if field.data is None and not field.errors and other.data is not None:
                field.errors = [_("State both the day and the time.")]
                is_valid = False
        return is_valid


class NewTimeForm(ScheduleForm):
    """Another beginning for a send that waits for its own."""

    day = DayField(N_("Day"), [Filled()])
    clock = ClockField(N_("Time of day"), [Filled()], description=N_("Tehran time, such as 08:30."))


class TermsForm(ScheduleForm):
    """What is stated beside the words and the list: when it begins, what becomes of it out of hours, and over which
    lines it may go on."""

    out_of_hours = RadioField(
        N_("What the line's hours cut off"),
        choices=[SelectChoice(str(code), label) for code, label in OUT_OF_HOURS_LABELS.items()],
        default=str(OutOfHours.WAIT),
    )
    plan_line = FieldList(SelectField(N_("Line"), default="", validate_choice=False), min_entries=_PLANNED)
    plan_cap = FieldList(MoneyField(N_("At most, for the whole send"), [Optional()]), min_entries=_PLANNED)

    def offer(self, seen: Preview) -> None:
        """Fill in the lines a send may go on over: all but its own that can carry it."""
        choices = [SelectChoice("", N_("No further line"))]
        choices += [SelectChoice(str(each.line.id), _priced(each)) for each in _further(seen)]
        for field in self.plan_line.entries:
            field.choices = choices

    def suggest(self, seen: Preview, steps: Sequence[PlanStep]) -> None:
        """Begin with the account's usual way on: lines that can carry this send, each with what it may cost there."""
        price_mrial = next((each.total_mrial or 0 for each in seen.lines if each.is_chosen), 0)
        able = {each.line.id for each in _further(seen)}
        usual = [step for step in steps if step.line_id in able]
        for (line, cap), step in zip(self.plan, usual, strict=False):
            line.data = str(step.line_id)
            cap.data = cap_mrial(price_mrial, step.most_percent)

    @property
    def plan(self) -> list[tuple[SelectField, MoneyField]]:
        """The further lines in their order, each with its cap."""
        return list(zip(self.plan_line.entries, self.plan_cap.entries, strict=False))

    def terms(self, seen: Preview) -> Terms:
        """As the operations take it; a cap left empty is the price that the line shows now."""
        prices = {str(each.line.id): each.total_mrial or 0 for each in _further(seen)}
        plan = [
            PlanLine(int(line.data), prices[line.data] if cap.data is None else cap.data)
            for line, cap in self.plan
            if line.data in prices
        ]
        return Terms(scheduled_at=self.moment, out_of_hours=OutOfHours(self.out_of_hours.data), plan=plan)


def _further(seen: Preview) -> list[LinePreview]:
    return [each for each in seen.lines if not each.is_chosen and each.problem is None and each.total_mrial is not None]


def _priced(offer: LinePreview) -> str:
    return f"{line_name(offer.line)} · {money_text(offer.total_mrial or 0)}"


class _ByLine(FilterForm):
    """A filter that knows the lines to choose from."""

    def __init__(self, *args: Any, lines: Sequence[Any] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.line_id.choices = _choices({line.id: f"{digits(line.number)} {line.alias}".strip() for line in lines})


class MessageFilterForm(_ByLine):
    """What the outbox is narrowed to."""

    day = DayField(N_("Day"))
    state = SelectField(N_("State"), choices=_choices(PROGRESS_LABELS))
    outcome = SelectField(N_("Outcome"), choices=_choices(OUTCOME_LABELS))
    line_id = SelectField(N_("Line"))
    recipient = PhoneField(N_("Recipient"))

    @property
    def narrowed(self) -> MessageFilter:
        """As the queries take it."""
        return MessageFilter(
            state=self.state.data or "",
            outcome=self.outcome.data or "",
            line_id=int(self.line_id.data) if self.line_id.data else None,
            recipient=self.recipient.data,
            **_bounds(self.day),
        )


class CampaignFilterForm(_ByLine):
    """What the list of sends is narrowed to."""

    day = DayField(N_("Day"))
    state = SelectField(N_("State"), choices=_choices(CAMPAIGN_LABELS))
    line_id = SelectField(N_("Line"))

    @property
    def narrowed(self) -> CampaignFilter:
        """As the queries take it."""
        line_id = int(self.line_id.data) if self.line_id.data else None
        return CampaignFilter(state=self.state.data or "", line_id=line_id, **_bounds(self.day))


class RecipientFilterForm(FilterForm):
    """What the recipients of one send are narrowed to."""

    state = SelectField(N_("State"), choices=_choices(PROGRESS_LABELS))
    outcome = SelectField(N_("Outcome"), choices=_choices(OUTCOME_LABELS))
    recipient = PhoneField(N_("Recipient"))

    def narrowed(self, campaign_id: int) -> MessageFilter:
        """As the queries take it."""
        return MessageFilter(
            campaign_id=campaign_id,
            state=self.state.data or "",
            outcome=self.outcome.data or "",
            recipient=self.recipient.data,
        )


def _bounds(field: DayField) -> dict[str, Any]:
    """The moments a day lies between."""
    if field.data is None:
        return {}
    return {"since": start_of_day(field.data), "until": start_of_day(next_day(field.data))}
