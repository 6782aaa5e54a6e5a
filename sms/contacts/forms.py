"""Forms of contacts: groups, numbers entered or from a file, and what a list is narrowed to."""

from io import BytesIO
from typing import BinaryIO

from flask_wtf.file import FileField
from wtforms import BooleanField, IntegerField, SelectChoice, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from sms.contacts.rules import NAME_LENGTH
from sms.contacts.words.rules import ACTION_LABELS
from sms.core.sheets import limits
from sms.core.text import N_
from sms.core.web.forms import Filled, FilterForm, Form, PhoneField
from sms.core.web.i18n import _, say


class GroupForm(Form):
    """What a group is called."""

    name = StringField(N_("Name of the group"), [Filled(), Length(max=NAME_LENGTH)])


class NumbersForm(Form):
    """Numbers typed, pasted, or as a file."""

    numbers = TextAreaField(
        N_("Numbers"),
        render_kw={"rows": 5, "spellcheck": "false"},
        description=N_("One a line, a name may stand beside it; or only numbers, parted by commas or blanks."),
    )
    file = FileField(
        N_("or a file"),
        render_kw={"data-dropzone": "", "accept": ".csv,.txt,.xlsx"},
        description=N_("CSV, TXT or XLSX, up to 1,000,000 rows and 50 MB; names are taken from beside the numbers."),
    )

    @property
    def has_file(self) -> bool:
        """Whether a file came with it."""
        return bool(self.file.data and self.file.data.filename)

    @property
    def stream(self) -> BinaryIO:
        """What was handed in."""
        if self.has_file:
            found: BinaryIO = self.file.data.stream
            return found
        return BytesIO((self.numbers.data or "").encode("utf-8", "replace"))

    @property
    def file_name(self) -> str:
        """What the file is called on its owner's machine; empty for what was typed."""
        return str(self.file.data.filename) if self.has_file else ""

    def validate_numbers(self, field: TextAreaField) -> None:
        """Typed or a file: the one or the other."""
        is_typed = bool((field.data or "").strip())
        if not self.has_file and not is_typed:
            raise ValidationError(_("Type the numbers or choose a file."))
        if self.has_file and is_typed:
            raise ValidationError(_("Type the numbers or choose a file, not both."))

    def validate_file(self, field: FileField) -> None:
        """What is too large is not read."""
        if self.has_file:
            size = field.data.stream.seek(0, 2)
            field.data.stream.seek(0)
            if size > limits.MAX_FILE_BYTES:
                raise ValidationError(say(limits.too_large()))


class MembersFilterForm(FilterForm):
    """What the members of a group are narrowed to."""

    mobile = PhoneField(N_("Number"))


class OptOutForm(NumbersForm):
    """Numbers nobody is to write to, and why."""

    reason = StringField(N_("Reason"), [Optional(), Length(max=200)])


class OptOutFilterForm(FilterForm):
    """What the list of those not to write to is narrowed to."""

    mobile = PhoneField(N_("Number"))


class ReplyForm(Form):
    """What a line answers who opts out and who comes back."""

    line_id = IntegerField(N_("Line"), [InputRequired()])
    out_body = TextAreaField(N_("To who wants no more"), render_kw={"rows": 2})
    in_body = TextAreaField(N_("To who comes back"), render_kw={"rows": 2})


class WordForm(Form):
    """A word and what it means, on every line or on one."""

    word = StringField(N_("Word"), [Filled()], description=N_("In any spelling: digits, blanks and marks are ignored."))
    meaning = SelectField(
        N_("It means"), choices=[SelectChoice(str(code), label) for code, label in ACTION_LABELS.items()]
    )
    line_number = StringField(N_("Only on the line"), [Optional()], description=N_("Its number; empty for every line."))


class SuffixForm(Form):
    """What the texts of an operator's lines end with."""

    operator_id = IntegerField(N_("Operator"), [InputRequired()])
    suffix = StringField(N_("Words"), [Filled()])
    is_demanded = BooleanField(N_("Demanded"))
