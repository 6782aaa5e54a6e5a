"""Forms of formats and prices."""

from datetime import datetime
from typing import Any

from flask_wtf.file import FileField
from wtforms import BooleanField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields import SelectChoice

from sms.core import calendar
from sms.core.text import N_
from sms.core.web.forms import DayField, Filled, Form, IntField
from sms.lines.formats.rules.offers import Format
from sms.lines.formats.rules.tiers import AUDIENCE_LABELS, TIER_LABELS, TIERS, Audience, Tier
from sms.operators.rules import SALE_MODE_LABELS, SaleMode


class FormatForm(Form):
    """What an operator sells of one length."""

    digits = IntField(N_("Number of digits"), [Filled()], description=N_("Of the whole number, with its prefix."))
    is_on_sale = BooleanField(N_("Numbers of this length are on sale"), default=True)
    sale_mode = SelectField(
        N_("How they are sold"), choices=[SelectChoice(str(mode), label) for mode, label in SALE_MODE_LABELS.items()]
    )
    range_digits = IntField(
        N_("Free last digits of a range"), description=N_("1 is a range of ten numbers, 2 of a hundred.")
    )
    choosable_digits = IntField(
        N_("Right-hand digits the customer may choose"), default=0, description=N_("0: the operator assigns them.")
    )
    tiers = SelectMultipleField(
        N_("Tiers that are priced apart"),
        choices=[SelectChoice(str(tier), TIER_LABELS[tier]) for tier in TIERS],
        default=[str(Tier.PLAIN)],
        description=N_("A rounder number is sold as the roundest of these."),
    )
    gives_priority = BooleanField(N_("Its owner comes first for longer numbers that begin with it"))
    renewal_percent = IntField(
        N_("Renewal, percent of the price paid"), default=0, description=N_("0: renewed for nothing.")
    )
    renewal_months = IntField(N_("Renewed every so many months"), [Filled()], default=12)
    grace_days = IntField(N_("Days of grace after the end"), default=30)
    note = TextAreaField(
        N_("Note"),
        description=N_("Shown beside the length, and as the reason where it is not sold."),
        render_kw={"rows": 2},
    )
    valid_from = DayField(N_("Valid from"), description=N_("Empty: at once."))

    @property
    def wanted(self) -> Format:
        """What was filled in."""
        is_range = self.sale_mode.data == SaleMode.RANGE
        return Format(
            digits=self.digits.data or 0,
            is_on_sale=self.is_on_sale.data,
            sale_mode=SaleMode(self.sale_mode.data),
            range_digits=self.range_digits.data if is_range else None,
            choosable_digits=self.choosable_digits.data or 0,
            tiers=tuple(tier for tier in TIERS if tier in (self.tiers.data or ())),
            gives_priority=self.gives_priority.data,
            renewal_percent=self.renewal_percent.data or 0,
            renewal_months=self.renewal_months.data or 0,
            grace_days=self.grace_days.data or 0,
            note=self.note.data or "",
        )

    @property
    def begins(self) -> datetime | None:
        """Since when; None for at once."""
        return calendar.start_of_day(self.valid_from.data) if self.valid_from.data else None

    def show(self, found: Format) -> None:
        """Begin from what is in force."""
        for name in ("digits", "is_on_sale", "range_digits", "choosable_digits", "gives_priority", "note"):
            self[name].data = getattr(found, name)
        for name in ("renewal_percent", "renewal_months", "grace_days"):
            self[name].data = getattr(found, name)
        self.sale_mode.data = str(found.sale_mode)
        self.tiers.data = [str(tier) for tier in found.tiers]


_AUDIENCES = [SelectChoice(str(each), label) for each, label in AUDIENCE_LABELS.items()]


class DeriveForm(Form):
    """Fill an audience's prices from another's."""

    source = SelectField(N_("From the prices for"), choices=_AUDIENCES)
    percent = IntField(N_("Percent less"), [Filled()], description=N_("Below zero: more."))
    step = IntField(N_("Rounded to, rial"), [Filled()], default=10_000)
    scope = SelectField(
        N_("Which operators"),
        choices=[SelectChoice("one", N_("this operator")), SelectChoice("all", N_("all operators"))],
    )

    @classmethod
    def offered(cls, target: Audience, **kwargs: Any) -> "DeriveForm":
        """The form for an audience: not from itself."""
        form = cls(**kwargs)
        form.source.choices = [choice for choice in _AUDIENCES if choice.value != target]
        return form


class FileForm(Form):
    """A file to read."""

    file = FileField(N_("XLSX or CSV file"), render_kw={"data-dropzone": "", "accept": ".xlsx,.csv,.txt"})


class AudienceForm(Form):
    """Which prices an account sees."""

    account = StringField(N_("User name of the account"), [Filled()])
    audience = SelectField(N_("Sees the prices for"), choices=[SelectChoice("", N_("its own kind")), *_AUDIENCES])

    @property
    def chosen(self) -> Audience | None:
        """The audience; None for that of its kind."""
        return Audience(self.audience.data) if self.audience.data else None
