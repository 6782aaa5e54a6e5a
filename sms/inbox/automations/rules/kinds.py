"""What an automation is: its kind, its words, its hours, what it says and does. Plain Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sms.core.errors import Refusal
from sms.core.text import N_
from sms.inbox.automations.rules.matching import Hours, Way, compact, words_of

NAME_LENGTH, WORD_LENGTH, REPLY_LENGTH, ANSWER_LENGTH = 100, 100, 1_000, 500
MOST_WORDS, MOST_OPTIONS, MOST_FIELDS, MOST_ON_A_LINE = 50, 20, 10, 100
CODE_LENGTH = 64
DEFAULT_TIMEOUT_MINUTES = 60
MOST_TIMEOUT_MINUTES = 7 * 24 * 60


class Kind(StrEnum):
    """What an automation does with a text."""

    KEYWORD = "keyword"
    CODES = "codes"
    POLL = "poll"
    CONTEST = "contest"
    CLUB = "club"


KIND_LABELS: dict[str, str] = {
    Kind.KEYWORD: N_("Keyword"),
    Kind.CODES: N_("Code reader"),
    Kind.POLL: N_("Poll"),
    Kind.CONTEST: N_("Contest"),
    Kind.CLUB: N_("Membership"),
}
KIND_HINTS: dict[str, str] = {
    Kind.KEYWORD: N_("A word brings a reply, a group, or goes on to a mobile, an e-mail or an address."),
    Kind.CODES: N_("Codes of a list are accepted once each, and winners are drawn among those who sent them."),
    Kind.POLL: N_("Options with other words for each, one vote a number, a chart that moves."),
    Kind.CONTEST: N_("A right answer, from one day to another, winners drawn so that anybody can check it."),
    Kind.CLUB: N_("A word begins it, then one question after another; who answered them all is a member."),
}


class Result(StrEnum):
    """What became of a text."""

    MATCHED = "matched"
    VALID = "valid"
    USED = "used"
    NO_CODE = "no_code"
    VOTE = "vote"
    CHANGED = "changed"
    AGAIN = "again"
    NO_OPTION = "no_option"
    RIGHT = "right"
    WRONG = "wrong"
    ANSWERED = "answered"
    ASKED = "asked"
    JOINED = "joined"
    MEMBER = "member"
    CANCELLED = "cancelled"


RESULT_LABELS: dict[str, str] = {
    Result.MATCHED: N_("Recognised"),
    Result.VALID: N_("Code accepted"),
    Result.USED: N_("Code was used before"),
    Result.NO_CODE: N_("No such code"),
    Result.VOTE: N_("Vote counted"),
    Result.CHANGED: N_("Vote changed"),
    Result.AGAIN: N_("Has voted already"),
    Result.NO_OPTION: N_("No such option"),
    Result.RIGHT: N_("Right answer"),
    Result.WRONG: N_("Wrong answer"),
    Result.ANSWERED: N_("Has answered already"),
    Result.ASKED: N_("Asked a question"),
    Result.JOINED: N_("Joined"),
    Result.MEMBER: N_("Is a member already"),
    Result.CANCELLED: N_("Cancelled"),
}
# With these the text counts, so that groups are changed and it goes on to others.
COUNTS = frozenset({Result.MATCHED, Result.VALID, Result.VOTE, Result.CHANGED, Result.RIGHT, Result.JOINED})
# What can be said, by kind; the questions of a membership are its fields.
REPLIES: Mapping[Kind, tuple[Result, ...]] = {
    Kind.KEYWORD: (Result.MATCHED,),
    Kind.CODES: (Result.VALID, Result.USED, Result.NO_CODE),
    Kind.POLL: (Result.VOTE, Result.CHANGED, Result.AGAIN, Result.NO_OPTION),
    Kind.CONTEST: (Result.RIGHT, Result.WRONG, Result.ANSWERED),
    Kind.CLUB: (Result.JOINED, Result.MEMBER, Result.CANCELLED),
}


class Stop(StrEnum):
    """Why nothing is sent by itself."""

    NOT_MOBILE = "not_mobile"
    OWN_LINE = "own_line"
    TOO_MANY = "too_many"
    ECHO = "echo"
    SAME_NUMBER = "same_number"


STOP_LABELS: dict[str, str] = {
    Stop.NOT_MOBILE: N_("not answered: the sender is no mobile number"),
    Stop.OWN_LINE: N_("not answered: the sender is a line of this panel"),
    Stop.TOO_MANY: N_("stopped: too many automatic replies to this number within a short time"),
    Stop.ECHO: N_("stopped: the text repeats what was replied automatically"),
    Stop.SAME_NUMBER: N_("not forwarded: the text came from that number"),
}


@dataclass(frozen=True, slots=True)
class LoopPolicy:
    """At most so many automatic replies to a number from a line within so many minutes."""

    most_replies: int = 10
    minutes: int = 10

    @property
    def span(self) -> timedelta:
        """The time in which they are counted."""
        return timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a poll with other words for it, the right answer of a contest, or a field of a membership, whose
    first word is its question."""

    id: int
    name: str
    words: tuple[str, ...] = ()

    def fits(self, rest: tuple[str, ...]) -> bool:
        """Whether these words are this option."""
        given = "".join(rest)
        return bool(given) and given in {compact(word) for word in (self.name, *self.words)}


@dataclass(frozen=True, slots=True)
class Actions:
    """What is done besides replying; None or empty: nothing."""

    add_group_id: int | None = None
    remove_group_id: int | None = None
    mobile: int | None = None
    email: str = ""
    hook_id: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is done."""
        return not (self.add_group_id or self.remove_group_id or self.mobile or self.email or self.hook_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An automation as its owner describes it."""

    kind: Kind
    name: str
    way: Way = Way.EXACT
    keywords: tuple[str, ...] = ()
    hours: Hours = field(default_factory=Hours)
    goes_on: bool = False
    replies: Mapping[str, str] = field(default_factory=dict)
    options: tuple[Option, ...] = ()
    actions: Actions = field(default_factory=Actions)
    can_change: bool = False
    cancel_word: str = ""
    timeout_minutes: int = DEFAULT_TIMEOUT_MINUTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Automation(Wanted):
    """One that stands on a line."""

    id: int
    account_id: int
    line_id: int
    user_id: int
    place: int
    is_on: bool

    def reply(self, result: Result) -> str:
        """What is said then; empty: nothing."""
        return self.replies.get(result, "")

    def is_at_work(self, moment: datetime) -> bool:
        """Whether it looks at a text that came at this moment."""
        return self.is_on and self.hours.holds(moment)


class UnusableAutomation(Refusal):
    """It cannot work like this; `field` is the form's field to mark."""

    def __init__(self, field_name: str, message: str, **params: object) -> None:
        super().__init__(message, **params)
        self.field = field_name


def check(wanted: Wanted) -> Wanted:
    """The same automation, or UnusableAutomation."""
    if not wanted.name.strip():
        raise UnusableAutomation("name", N_("Give it a name."))
    _check_words(wanted)
    _check_hours(wanted.hours)
    _check_options(wanted)
    if wanted.kind is Kind.KEYWORD and wanted.actions.is_empty and not any(wanted.replies.values()):
        raise UnusableAutomation("reply_matched", N_("Write a reply, or choose something else to be done."))
    if wanted.kind is Kind.CLUB and wanted.options and not words_of(wanted.cancel_word):
        raise UnusableAutomation("cancel_word", N_("Give a word by which people get out."))
    if not 1 <= wanted.timeout_minutes <= MOST_TIMEOUT_MINUTES:
        raise UnusableAutomation("timeout_minutes", N_("Give a time from one minute to seven days."))
    return wanted


def _check_words(wanted: Wanted) -> None:
    if wanted.way is not Way.ANY and not wanted.keywords:
        raise UnusableAutomation("keywords", N_("Give at least one word, or choose any text."))
    if wanted.way is Way.ANY and wanted.kind is Kind.CLUB:
        raise UnusableAutomation("way", N_("A membership begins with a word."))
    if wanted.way is Way.EXACT and wanted.kind in {Kind.CODES, Kind.POLL, Kind.CONTEST}:
        raise UnusableAutomation("way", N_("Behind the word there must be room for the code or the answer."))
    if len(wanted.keywords) > MOST_WORDS:
        raise UnusableAutomation("keywords", N_("At most %(most)s words."), most=MOST_WORDS)
    for word in wanted.keywords:
        if not words_of(word) or len(word) > WORD_LENGTH:
            raise UnusableAutomation("keywords", N_("“%(word)s” is no word that can be recognised."), word=word[:60])


def _check_hours(hours: Hours) -> None:
    if (hours.opens_at is None) != (hours.closes_at is None):
        raise UnusableAutomation("closes_at", N_("Give both hours or none."))
    if hours.begins_at is not None and hours.ends_at is not None and hours.ends_at <= hours.begins_at:
        raise UnusableAutomation("ends_on", N_("The last day lies before the first."))


def _check_options(wanted: Wanted) -> None:
    least = {Kind.POLL: 2, Kind.CONTEST: 1}.get(wanted.kind, 0)
    most = MOST_FIELDS if wanted.kind is Kind.CLUB else MOST_OPTIONS
    if len(wanted.options) < least:
        raise UnusableAutomation("options", N_("Give at least %(least)s, one a line."), least=least)
    if len(wanted.options) > most:
        raise UnusableAutomation("options", N_("At most %(most)s, one a line."), most=most)
    if wanted.kind is Kind.CLUB:
        return
    seen: set[str] = set()
    for option in wanted.options:
        words = {compact(word) for word in (option.name, *option.words)}
        if "" in words:
            raise UnusableAutomation("options", N_("“%(word)s” is no word that can be recognised."), word=option.name)
        if words & seen:
            raise UnusableAutomation("options", N_("“%(word)s” stands for two options."), word=option.name)
        seen |= words


def options_of(text: str, before: Sequence[Option] = ()) -> tuple[Option, ...]:
    """Options, one a line: a name, then `=` and other words for it parted by | or commas. Who keeps its name keeps its
    number, so that votes stay where they were given."""
    known = {compact(option.name): option.id for option in before}
    following = max(known.values(), default=0)
    found = []
    for line in text.splitlines():
        name, _, others = line.partition("=")
        if not name.strip():
            continue
        number = known.pop(compact(name), None)
        if number is None:
            following += 1
            number = following
        found.append(Option(number, name.strip()[:WORD_LENGTH], words_in(others)))
    return tuple(found)


def fields_of(text: str) -> tuple[Option, ...]:
    """Fields of a membership, one a line: a name, then `=` and the question; without one the name is asked."""
    found = []
    for place, line in enumerate(filter(str.strip, text.splitlines()), start=1):
        name, _, question = line.partition("=")
        asked = (question.strip() or name.strip())[:REPLY_LENGTH]
        found.append(Option(place, name.strip()[:WORD_LENGTH] or asked[:WORD_LENGTH], (asked,)))
    return tuple(found)


def words_in(text: str) -> tuple[str, ...]:
    """Words parted by |, commas or lines, each once."""
    for separator in "،,|\r":
        text = text.replace(separator, "\n")
    return tuple(dict.fromkeys(word.strip() for word in text.splitlines() if word.strip()))


def options_text(options: Sequence[Option]) -> str:
    """As `options_of` and `fields_of` read them."""
    return "\n".join(f"{each.name} = {' | '.join(each.words)}" if each.words else each.name for each in options)


def code_of(words: Sequence[str]) -> str:
    """A code as it is compared: without blanks and signs; empty when there is none, or a far too long one."""
    code = "".join(words)
    return code if len(code) <= CODE_LENGTH else ""
