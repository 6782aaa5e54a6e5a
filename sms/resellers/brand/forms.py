"""What is typed into a brand, its domains, and what staff decide about them."""

from flask_wtf.file import FileField
from werkzeug.datastructures import FileStorage
from wtforms import BooleanField, StringField
from wtforms.validators import Length, Optional, Regexp

from sms.accounts.rules import clean_text
from sms.core.text import N_
from sms.core.web.forms import Filled, Form
from sms.resellers.brand.operations import BrandSettings
from sms.resellers.brand.rules import MOST_LOGO_BYTES

_COLOUR_KW = {"placeholder": "#3a4fc4", "maxlength": 7, "spellcheck": "false"}


class BrandForm(Form):
    """Name, picture, colours, and whom to ask."""

    name = StringField(N_("Name of the brand"), [Filled(), Length(max=60)], filters=[clean_text])
    logo = FileField(
        N_("Logo"),
        render_kw={"accept": "image/png,image/jpeg,image/webp"},
        description=N_("PNG, JPEG or WebP, 200 kilobytes at most; square ones look best."),
    )
    without_logo = BooleanField(N_("Take the logo away"))
    main_colour = StringField(
        N_("Main colour"),
        [Length(max=7)],
        render_kw=_COLOUR_KW,
        description=N_("Of buttons and links; dark enough for white words on it. Empty: the panel's own."),
    )
    second_colour = StringField(
        N_("Second colour"), [Length(max=7)], render_kw=_COLOUR_KW, description=N_("Of the stripe along the page.")
    )
    support_phone = StringField(
        N_("Support phone"),
        [Optional(), Length(max=30), Regexp(r"^[0-9۰-۹+()\s-]+$", message=N_("Write a phone number."))],
        filters=[clean_text],
    )
    support_email = StringField(
        N_("Support e-mail"),
        [
            Optional(),
            Length(max=100),
            Regexp(r"^[^@\s<>\"']+@[^@\s<>\"']+\.[^@\s<>\"']+$", message=N_("Write an e-mail address.")),
        ],
        filters=[clean_text],
    )
    is_sign_up_open = BooleanField(N_("Everybody can open an account under your domains"), default=True)

    @property
    def settings(self) -> BrandSettings:
        """As it was filled in."""
        return BrandSettings(
            name=self.name.data or "",
            main_colour=self.main_colour.data or "",
            second_colour=self.second_colour.data or "",
            support_phone=self.support_phone.data or "",
            support_email=self.support_email.data or "",
            is_sign_up_open=self.is_sign_up_open.data,
            logo=b"" if self.without_logo.data else self._uploaded(),
        )

    def _uploaded(self) -> bytes | None:
        file = self.logo.data
        if not isinstance(file, FileStorage) or not file.filename:
            return None
        return file.read(MOST_LOGO_BYTES + 1) or None


class DomainForm(Form):
    """The name of a domain."""

    host = StringField(
        N_("Domain"),
        [Filled(), Length(max=300)],
        render_kw={"placeholder": "panel.shop.ir", "autocapitalize": "none", "spellcheck": "false"},
    )


class ApproveForm(Form):
    """Staff let a domain show its brand."""

    is_sure = BooleanField(N_("Also without proof: I know that it is theirs"))
