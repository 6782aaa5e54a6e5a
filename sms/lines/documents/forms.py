"""Forms of documents."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask_wtf.file import FileField
from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields import HiddenField, SelectChoice
from wtforms.validators import Optional, ValidationError

from sms.core.text import N_
from sms.core.web.forms import DayField, Filled, Form
from sms.core.web.i18n import _, language
from sms.lines.documents.operations import NewDocument
from sms.lines.documents.rules import DOCUMENT_LABELS, HOLDER_LABELS, DocumentKind


def choices(labels: Mapping[Any, str]) -> list[SelectChoice]:
    """Codes with their names."""
    return [SelectChoice(str(code), label) for code, label in labels.items()]


class UploadForm(Form):
    """A paper that is handed in."""

    kind = SelectField(N_("Which document"), choices=choices(DOCUMENT_LABELS))
    file = FileField(
        N_("File"),
        render_kw={"accept": "image/jpeg,image/png,application/pdf"},
        description=N_("A photo (JPEG or PNG) or a PDF, 5 MB at most; every corner must be seen."),
    )
    national_code = StringField(
        N_("National code or identifier"),
        [Optional()],
        render_kw={"inputmode": "numeric", "autocomplete": "off"},
        description=N_(
            "10 digits of a person, 11 of a company. Needed with a national card; it is sealed and shown masked."
        ),
    )
    valid_until = DayField(N_("Valid until"), [Optional()], description=N_("If the document says so."))
    order_id = HiddenField()

    def validate_file(self, field: FileField) -> None:
        """There must be one."""
        if not (field.data and field.data.filename):
            raise ValidationError(_("Choose a file."))

    @property
    def wanted(self) -> NewDocument:
        """What was handed in."""
        order = (self.order_id.data or "").strip()
        return NewDocument(
            kind=DocumentKind(self.kind.data),
            file_name=self.file.data.filename,
            stream=self.file.data.stream,
            national_code=self.national_code.data or "",
            valid_until=self.valid_until.data,
            order_id=int(order) if order.isascii() and order.isdecimal() else None,
        )


class NeedForm(Form):
    """One more paper that is asked for."""

    operator_id = SelectField(N_("Operator"), coerce=int)
    holder = SelectField(N_("In whose name"), choices=choices(HOLDER_LABELS))
    kind = SelectField(N_("Which document"), choices=choices(DOCUMENT_LABELS))

    def offer(self, operators: Sequence[Any]) -> None:
        """Offer all operators together, and each."""
        self.operator_id.choices = [SelectChoice(0, N_("All operators"))] + [
            SelectChoice(each.id, f"{each.code} · {each.name_fa if language() == 'fa' else each.name_en}")
            for each in operators
        ]


class TurnDownForm(Form):
    """Why a document will not do."""

    reason = TextAreaField(
        N_("What is wrong with it"), [Filled()], render_kw={"rows": 2}, description=N_("The customer reads this.")
    )
