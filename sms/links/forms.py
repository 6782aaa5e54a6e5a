"""What is typed into the pages of links."""

from datetime import datetime, timedelta
from typing import Any

from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional

from sms.core.calendar import day_of, next_day, start_of_day
from sms.core.text import N_
from sms.core.web.forms import DayField, Filled, Form, IntField
from sms.links.queries import LinkSettings, LinkView
from sms.links.rules.clicks import AGENT_LABELS, LISTED_KINDS, AgentKind
from sms.links.rules.domains import VERDICT_LABELS, Verdict
from sms.links.rules.links import TITLE_LENGTH, NewLink
from sms.links.rules.targets import MOST_UTM, SIGN_LABELS, UTM_NAMES

_UTM = [Optional(), Length(max=MOST_UTM)]


class ChangeForm(Form):
    """What may change on a link."""

    title = StringField(
        N_("Title"), [Optional(), Length(max=TITLE_LENGTH)], description=N_("For your own lists; nobody else sees it.")
    )
    last_day = DayField(N_("Last day"), [Optional()], description=N_("Empty: the link does not expire."))
    utm_source = StringField(N_("Source (utm_source)"), _UTM)
    utm_medium = StringField(N_("Medium (utm_medium)"), _UTM)
    utm_campaign = StringField(N_("Campaign (utm_campaign)"), _UTM)
    utm_term = StringField(N_("Term (utm_term)"), _UTM)
    utm_content = StringField(N_("Content (utm_content)"), _UTM)

    @property
    def utm(self) -> dict[str, str]:
        """The campaign parameters that were filled in."""
        return {name: self[name].data.strip() for name in UTM_NAMES if (self[name].data or "").strip()}

    @property
    def utm_fields(self) -> list[Any]:
        """Their fields."""
        return [self[name] for name in UTM_NAMES]

    @property
    def expires_at(self) -> datetime | None:
        """The end of the last day."""
        return start_of_day(next_day(self.last_day.data)) if self.last_day.data else None

    @classmethod
    def of(cls, link: LinkView) -> "ChangeForm":
        """The form as the link stands."""
        last_day = day_of(link.expires_at - timedelta(seconds=1)) if link.expires_at else None
        made: ChangeForm = cls(formdata=None, data={"title": link.title, "last_day": last_day, **link.utm})
        return made


class NewLinkForm(ChangeForm):
    """A long address to be shortened."""

    target = StringField(
        N_("Long address"), [Filled()], description=N_("Such as https://example.ir/sale. It cannot be changed later.")
    )

    @property
    def wanted(self) -> NewLink:
        """As the operation takes it."""
        return NewLink(target=self.target.data, title=self.title.data or "", utm=self.utm, expires_at=self.expires_at)


# The staff


class SettingsForm(Form):
    """What the installation says of all links."""

    short_base = StringField(
        N_("Short domain"),
        description=N_("Such as https://s.example.ir, served by this panel too. Empty: the panel's own address."),
    )
    prefetch_seconds = IntField(
        N_("Too early to be a person"),
        [Filled()],
        description=N_("A click within so many seconds after the sending is counted as a program's."),
    )
    preview_signs = SelectMultipleField(
        N_("Shown before anybody goes there"),
        choices=[SelectChoice(code, label) for code, label in SIGN_LABELS.items()],
        description=N_("A target with one of these signs is shown first. Several can be chosen."),
        render_kw={"size": "6"},
    )

    @classmethod
    def of(cls, found: LinkSettings) -> "SettingsForm":
        """The form as the settings stand."""
        made: SettingsForm = cls(
            formdata=None,
            data={
                "short_base": found.short_base,
                "prefetch_seconds": found.prefetch_seconds,
                "preview_signs": sorted(found.preview_signs),
            },
        )
        return made


class DomainForm(Form):
    """What is said of a domain."""

    domain = StringField(N_("Domain"), [Filled()], description=N_("With everything below it, such as example.ir."))
    verdict = SelectField(
        N_("Verdict"),
        choices=[SelectChoice(code, label) for code, label in VERDICT_LABELS.items()],
        default=str(Verdict.DENY),
    )
    note = StringField(N_("Note"), description=N_("Why."))


class AgentForm(Form):
    """A program that follows links without a person."""

    pattern = StringField(
        N_("A piece of its name"), [Filled()], description=N_("As it stands in the name that its requests give.")
    )
    kind = SelectField(
        N_("Kind"),
        choices=[SelectChoice(str(kind), AGENT_LABELS[kind]) for kind in LISTED_KINDS],
        default=str(AgentKind.PREVIEW),
    )
