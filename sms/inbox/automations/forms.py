"""Forms of automations: one for each kind, and the dry run, the codes, the draw and the staff's policy."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask_wtf.file import FileField
from wtforms import BooleanField, SelectChoice, SelectField, StringField, TextAreaField

from sms.core.calendar import day_of, next_day, start_of_day
from sms.core.text import N_
from sms.core.web.forms import ClockField, DayField, Filled, Form, IntField, PhoneField
from sms.inbox.automations.rules.kinds import (
    DEFAULT_TIMEOUT_MINUTES,
    REPLIES,
    REPLY_LENGTH,
    Actions,
    Automation,
    Kind,
    Option,
    Wanted,
    fields_of,
    options_of,
    options_text,
    words_in,
)
from sms.inbox.automations.rules.matching import WAY_LABELS, Hours, Way

_TEXT = {"rows": 3, "data-count-parts": True, "maxlength": REPLY_LENGTH}
_LIST = {"rows": 5}


def _reply(label: str) -> TextAreaField:
    return TextAreaField(label, render_kw=_TEXT)


class AutomationForm(Form):
    """What every kind has in common: words, hours, and what is done besides."""

    kind = Kind.KEYWORD
    name = StringField(N_("Name"), [Filled()], render_kw={"maxlength": 100})
    way = SelectField(N_("Which texts"), choices=[SelectChoice(str(way), label) for way, label in WAY_LABELS.items()])
    keywords = StringField(
        N_("Words"),
        description=N_("Parted by commas. Arabic and Persian letters, digits, half spaces and case are alike."),
    )
    opens_at = ClockField(N_("Daily from"), description=N_("Empty: all day. It may go over midnight."))
    closes_at = ClockField(N_("Daily until"))
    begins_on = DayField(N_("First day"), description=N_("Empty: at once."))
    ends_on = DayField(N_("Last day"), description=N_("Empty: without an end."))
    add_group_id = SelectField(N_("Add the sender to a group"))
    remove_group_id = SelectField(N_("Take the sender out of a group"))
    mobile = PhoneField(N_("Forward to a mobile"), description=N_("Costs what any text over this line costs."))
    email = StringField(N_("Forward to an e-mail"), render_kw={"dir": "ltr", "inputmode": "email"})
    hook_id = SelectField(N_("Forward to an address"))
    goes_on = BooleanField(N_("Go on with the next automation afterwards"))

    def __init__(self, *args: Any, groups: Sequence[Any] = (), hooks: Sequence[Any] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        nothing = SelectChoice("", N_("nothing"))
        of_groups = [SelectChoice(str(group.id), group.name) for group in groups]
        self.add_group_id.choices = [nothing, *of_groups]
        self.remove_group_id.choices = [nothing, *of_groups]
        self.hook_id.choices = [nothing, *(SelectChoice(str(hook.id), hook.name) for hook in hooks)]

    @classmethod
    def values(cls, found: Automation) -> dict[str, Any]:
        """What the form shows of an automation."""
        hours, actions = found.hours, found.actions
        return {
            "name": found.name,
            "way": str(found.way),
            "keywords": "، ".join(found.keywords),
            "opens_at": hours.opens_at,
            "closes_at": hours.closes_at,
            "begins_on": day_of(hours.begins_at) if hours.begins_at else None,
            "ends_on": day_of(hours.ends_at - timedelta(seconds=1)) if hours.ends_at else None,
            "add_group_id": str(actions.add_group_id or ""),
            "remove_group_id": str(actions.remove_group_id or ""),
            "mobile": actions.mobile,
            "email": actions.email,
            "hook_id": str(actions.hook_id or ""),
            "goes_on": found.goes_on,
            "options": options_text(found.options),
            "can_change": found.can_change,
            "cancel_word": found.cancel_word,
            "timeout_minutes": found.timeout_minutes,
            **{f"reply_{result}": found.reply(result) for result in REPLIES[found.kind]},
        }

    def options_after(self, _before: Sequence[Option]) -> tuple[Option, ...]:
        """The options, answers or fields that were written."""
        return ()

    def wanted(self, before: Sequence[Option] = ()) -> Wanted:
        """What was filled in; `before` are the options there were."""
        ends_on = self.ends_on.data
        hours = Hours(
            self.opens_at.data,
            self.closes_at.data,
            start_of_day(self.begins_on.data) if self.begins_on.data else None,
            start_of_day(next_day(ends_on)) if ends_on else None,
        )
        actions = Actions(
            int(self.add_group_id.data) if self.add_group_id.data else None,
            int(self.remove_group_id.data) if self.remove_group_id.data else None,
            self.mobile.data,
            (self.email.data or "").strip(),
            int(self.hook_id.data) if self.hook_id.data else None,
        )
        given = self.data
        return Wanted(
            kind=self.kind,
            name=(self.name.data or "").strip()[:100],
            way=Way(self.way.data),
            keywords=() if self.way.data == Way.ANY else words_in(self.keywords.data or ""),
            hours=hours,
            goes_on=self.goes_on.data,
            replies={
                result: (given.get(f"reply_{result}") or "").replace("\r\n", "\n").strip()[:REPLY_LENGTH]
                for result in REPLIES[self.kind]
            },
            options=self.options_after(before),
            actions=actions,
            can_change=bool(given.get("can_change")),
            cancel_word=given.get("cancel_word") or "",
            timeout_minutes=given.get("timeout_minutes") or DEFAULT_TIMEOUT_MINUTES,
        )

    @property
    def own(self) -> list[Any]:
        """The fields that only this kind has, in the order in which they are shown."""
        return [field for field in self if field.name not in _COMMON]


class KeywordForm(AutomationForm):
    """A word brings a reply."""

    reply_matched = _reply(N_("Reply"))


class CodesForm(AutomationForm):
    """Codes of a list."""

    kind = Kind.CODES
    reply_valid = _reply(N_("Reply to a valid code"))
    reply_used = _reply(N_("Reply to a code that was used"))
    reply_no_code = _reply(N_("Reply to what is no code"))


class PollForm(AutomationForm):
    """Options with other words."""

    kind = Kind.POLL
    options = TextAreaField(
        N_("Options, one a line"),
        [Filled()],
        description=N_("Other words for an option stand behind =, parted by |. Its place in the list counts too."),
        render_kw=_LIST,
    )
    can_change = BooleanField(N_("A vote may be changed"))
    reply_vote = _reply(N_("Reply to a vote"))
    reply_changed = _reply(N_("Reply to a changed vote"))
    reply_again = _reply(N_("Reply to who has voted already"))
    reply_no_option = _reply(N_("Reply to what is no option"))

    def options_after(self, before: Sequence[Option]) -> tuple[Option, ...]:
        """Who keeps its name keeps its votes."""
        return options_of(self.options.data or "", before)


class ContestForm(AutomationForm):
    """A right answer."""

    kind = Kind.CONTEST
    options = TextAreaField(
        N_("Right answer"),
        [Filled()],
        description=N_("Other ways to write it stand behind =, parted by |. Several right answers: one a line."),
        render_kw=_LIST,
    )
    can_change = BooleanField(N_("A wrong answer may be corrected"))
    reply_right = _reply(N_("Reply to a right answer"))
    reply_wrong = _reply(N_("Reply to a wrong answer"))
    reply_answered = _reply(N_("Reply to who has answered already"))

    def options_after(self, before: Sequence[Option]) -> tuple[Option, ...]:
        """The answers that are right."""
        return options_of(self.options.data or "", before)


class ClubForm(AutomationForm):
    """Fields asked one after another."""

    kind = Kind.CLUB
    options = TextAreaField(
        N_("Questions, one a line"),
        description=N_("A name, then = and the question as it is sent. Empty: the word alone is enough."),
        render_kw=_LIST,
    )
    cancel_word = StringField(N_("Word to get out"), default="انصراف")
    timeout_minutes = IntField(N_("Minutes to answer a question"), default=DEFAULT_TIMEOUT_MINUTES)
    reply_joined = _reply(N_("Reply to who has joined"))
    reply_member = _reply(N_("Reply to who is a member already"))
    reply_cancelled = _reply(N_("Reply to who got out"))

    def options_after(self, _before: Sequence[Option]) -> tuple[Option, ...]:
        """The fields."""
        return fields_of(self.options.data or "")


FORMS: dict[Kind, type[AutomationForm]] = {
    each.kind: each for each in (KeywordForm, CodesForm, PollForm, ContestForm, ClubForm)
}
_COMMON = frozenset({name for name in dir(AutomationForm) if not name.startswith("_")} | {"csrf_token"})
TIMES = ("opens_at", "closes_at", "begins_on", "ends_on")
ACTIONS = ("add_group_id", "remove_group_id", "mobile", "email", "hook_id")


class TryForm(Form):
    """A text as if somebody had sent it."""

    body = TextAreaField(N_("Text"), [Filled()], render_kw={"rows": 3, "maxlength": 2_000})
    sender = StringField(N_("Sender"), [Filled()], render_kw={"dir": "ltr", "inputmode": "tel"})
    day = DayField(N_("Day"), description=N_("Empty: now."))
    clock = ClockField(N_("Time"))


class CodesListForm(Form):
    """Codes to be read in."""

    file = FileField(
        N_("CSV or XLSX file"), description=N_("First column: the code. Second, if any: a reply of its own.")
    )
    pasted = TextAreaField(N_("Or codes, one a line"), render_kw={"rows": 4, "dir": "ltr"})


class DrawForm(Form):
    """How winners are drawn."""

    seed = StringField(
        N_("Seed"),
        [Filled()],
        description=N_("Announce beforehand where it will come from, such as a stock index of a later day."),
        render_kw={"maxlength": 200},
    )
    count = IntField(N_("Winners"), [Filled()], default=1)


class LoopPolicyForm(Form):
    """How many automatic replies a number may get."""

    most_replies = IntField(N_("Automatic replies at most"), [Filled()])
    minutes = IntField(N_("Within so many minutes"), [Filled()])
