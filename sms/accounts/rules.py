"""Who may do what, what names and passwords may be, how long a sign-in lasts. Plain Python."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from itertools import pairwise
from pathlib import Path

from sms.accounts.looks.rules import Look
from sms.core import phone
from sms.core.errors import Refusal, SmsError
from sms.core.text import N_


class AccountKind(StrEnum):
    """What an account is in the tree: the installation at its root, resellers and customers below."""

    INSTALLATION = "installation"
    RESELLER = "reseller"
    CUSTOMER = "customer"


class AccountState(StrEnum):
    """Only users of an active account get in."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class Role(StrEnum):
    """What a user is within an account."""

    OWNER = "owner"
    MEMBER = "member"


class Permission(StrEnum):
    """What a page may demand of its visitor."""

    SEND_MESSAGES = "messages.send"
    VIEW_MESSAGES = "messages.view"
    VIEW_LINES = "lines.view"
    VIEW_MONEY = "money.view"
    MANAGE_ACCOUNT = "account.manage"
    MANAGE_OPERATORS = "operators.manage"
    MANAGE_LINES = "lines.manage"
    MANAGE_PRICES = "prices.manage"
    MANAGE_CUSTOMERS = "customers.manage"
    MANAGE_MONEY = "money.manage"
    MANAGE_MESSAGES = "messages.manage"
    VIEW_AUDIT = "audit.view"
    MANAGE_SUB_ACCOUNTS = "sub_accounts.manage"


KIND_LABELS: dict[str, str] = {
    AccountKind.INSTALLATION: N_("Installation"),
    AccountKind.RESELLER: N_("Reseller"),
    AccountKind.CUSTOMER: N_("Customer"),
}
STATE_LABELS: dict[str, str] = {
    AccountState.ACTIVE: N_("Active"),
    AccountState.SUSPENDED: N_("Suspended"),
    AccountState.CLOSED: N_("Closed"),
}
ROLE_LABELS: dict[str, str] = {Role.OWNER: N_("Owner"), Role.MEMBER: N_("Member")}
LANGUAGE_LABELS: dict[str, str] = {"fa": "فارسی", "en": "English"}
UNIT_LABELS: dict[str, str] = {"rial": N_("Rial"), "toman": N_("Toman")}

_MEMBER = frozenset(
    {Permission.SEND_MESSAGES, Permission.VIEW_MESSAGES, Permission.VIEW_LINES, Permission.VIEW_MONEY},
)
_OWNER = _MEMBER | {Permission.MANAGE_ACCOUNT}
_STAFF = frozenset(Permission) - {Permission.MANAGE_SUB_ACCOUNTS}  # theirs is the whole tree, on pages of their own

PERMISSIONS: Mapping[tuple[AccountKind, Role], frozenset[Permission]] = {
    (AccountKind.INSTALLATION, Role.OWNER): _STAFF,
    (AccountKind.INSTALLATION, Role.MEMBER): _STAFF,
    (AccountKind.RESELLER, Role.OWNER): _OWNER | {Permission.MANAGE_SUB_ACCOUNTS},
    (AccountKind.RESELLER, Role.MEMBER): _MEMBER,
    (AccountKind.CUSTOMER, Role.OWNER): _OWNER,
    (AccountKind.CUSTOMER, Role.MEMBER): _MEMBER,
}

BELOW: Mapping[AccountKind, frozenset[AccountKind]] = {
    AccountKind.INSTALLATION: frozenset({AccountKind.RESELLER, AccountKind.CUSTOMER}),
    AccountKind.RESELLER: frozenset({AccountKind.RESELLER, AccountKind.CUSTOMER}),
    AccountKind.CUSTOMER: frozenset(),
}

MOVES: Mapping[AccountState, frozenset[AccountState]] = {
    AccountState.ACTIVE: frozenset({AccountState.SUSPENDED, AccountState.CLOSED}),
    AccountState.SUSPENDED: frozenset({AccountState.ACTIVE, AccountState.CLOSED}),
    AccountState.CLOSED: frozenset(),
}


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody who is signed in, as Flask-Login and every page see them; in a `look` it is really somebody else."""

    id: int
    account_id: int
    account_kind: str
    account_name: str
    username: str
    full_name: str
    role: str
    language: str
    money_unit: str
    must_change_password: bool = False
    look: Look | None = None
    token: str = field(repr=False)

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """What the signed cookie carries: the token of this sign-in."""
        return self.token

    def may(self, permission: str) -> bool:
        """Whether this visitor has a permission."""
        return permission in PERMISSIONS[AccountKind(self.account_kind), Role(self.role)]


@dataclass(frozen=True, kw_only=True)
class By:
    """Who acts (None: a command, or somebody not signed in), when, and from where; for the audit and the sessions."""

    actor_id: int | None
    at: datetime
    address: str = ""
    agent: str = ""


@dataclass(frozen=True, kw_only=True)
class NewUser:
    """A user to be. `is_one_time`: the password was made by somebody else, to be changed at the first sign-in."""

    username: str
    password: str = field(repr=False)
    full_name: str = ""
    mobile: int | None = None
    role: Role = Role.OWNER
    language: str = "fa"
    is_one_time: bool = False


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """A new session: the token goes to the browser, only its hash is kept."""

    user_id: int
    account_id: int
    language: str
    token: str = field(repr=False)


# Sessions

STAFF_IDLE = timedelta(minutes=30)
IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
SEEN_EVERY = timedelta(minutes=1)
ONE_TIME_PASSWORD_LASTS = timedelta(days=3)


def session_end(*, kind: str, created_at: datetime, seen_at: datetime) -> datetime:
    """When a session ends if nothing more is heard of it: after its idle time, and in any case after seven days."""
    idle = STAFF_IDLE if kind == AccountKind.INSTALLATION else IDLE
    return min(seen_at + idle, created_at + LONGEST)


# Names


class UnusableName(SmsError):
    """Not a user name."""


class UsernameTaken(Refusal):
    """Somebody else has it."""


_USERNAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{1,38})[a-z0-9]")
_LATIN_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")


def username_of(text: str) -> str:
    """The user name somebody typed: lower case, Latin digits; raises UnusableName."""
    name = text.strip().translate(_LATIN_DIGITS).lower()
    if not _USERNAME.fullmatch(name):
        raise UnusableName(
            N_("Use 3 to 40 Latin letters, digits, dots, dashes and underscores; a letter or digit at each end.")
        )
    return name


def is_username(text: str) -> bool:
    """Whether a text can be anybody's user name."""
    try:
        username_of(text)
    except UnusableName:
        return False
    return True


_UNWRITTEN = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def clean_text(text: str | None) -> str:
    """A name as it is kept: no control characters, none that turn the direction of what stands around it."""
    return (text or "").translate(_UNWRITTEN).strip()


# Passwords: verified exactly as typed; only the comparison with known ones folds digits and letter case

SAMPLE_PASSWORD = "payamgah-sample"  # noqa: S105 - refused wherever real customers are served
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200
_OWN_PART = 8  # characters that must be left beside one's own names
_GUESSABLE_TAIL = 8  # fewer characters than this around a common word do not save it
_FEWEST_CHARACTERS = 4
_NAME_OF_THE_HOUSE = ("payamgah", "پیامگاه")


class UnusablePassword(SmsError):
    """Too short, too long, or among the first that guessers try."""


def check_password(password: str, *, names: tuple[str, ...] = (), is_sample_allowed: bool = False) -> None:
    """Raise UnusablePassword unless this may be somebody's password; `names` are their own: user, account, mobile."""
    if password == SAMPLE_PASSWORD and is_sample_allowed:
        return
    if len(password) < SHORTEST_PASSWORD:
        raise UnusablePassword(N_("A password has at least %(least)s characters."), least=SHORTEST_PASSWORD)
    if len(password) > LONGEST_PASSWORD:
        raise UnusablePassword(N_("A password has at most %(most)s characters."), most=LONGEST_PASSWORD)
    folded = password.translate(_LATIN_DIGITS).casefold()
    if _is_common(folded):
        raise UnusablePassword(N_("This password is among the first that guessers try. Choose another one."))
    if _without_names(folded, names) < _OWN_PART:
        raise UnusablePassword(N_("This password is made of your own name or ours. Choose another one."))


def _is_common(folded: str) -> bool:
    core = folded.strip("".join(mark for mark in folded if not mark.isalpha()))
    common = common_passwords()
    return (
        folded in common
        or folded == SAMPLE_PASSWORD
        or len(set(folded)) < _FEWEST_CHARACTERS
        or phone.normalise(folded) is not None
        or len({ord(after) - ord(before) for before, after in pairwise(folded)}) == 1
        or (core in common and len(folded) - len(core) < _GUESSABLE_TAIL)
    )


def _without_names(folded: str, names: tuple[str, ...]) -> int:
    rest = folded
    for name in sorted({*_NAME_OF_THE_HOUSE, *names}, key=len, reverse=True):
        words = [name, *name.split()]
        for word in words:
            if len(word) >= 3:  # noqa: PLR2004 - shorter ones stand in every text
                rest = rest.replace(word.translate(_LATIN_DIGITS).casefold(), "")
    return len(rest)


@cache
def common_passwords() -> frozenset[str]:
    """What guessers try first."""
    lines = (Path(__file__).parent / "common_passwords.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


# Addresses of this site


def local_path(text: str | None) -> str | None:
    """The text if it is a path of this site and nothing that a browser could take for another one; else None."""
    if not text or len(text) > 2000 or not text.startswith("/") or text.startswith("//"):  # noqa: PLR2004
        return None
    if "\\" in text or any(mark.isspace() or not mark.isprintable() for mark in text):
        return None
    return text


# Browsers

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def agent_text(agent: str) -> str:
    """What a browser calls itself, short enough to recognise: “Firefox · Windows”; empty when it says nothing known."""
    named = [next((label for mark, label in marks if mark in agent), "") for marks in (_BROWSERS, _SYSTEMS)]
    return " · ".join(filter(None, named))


# Throttling of sign-ins: tries in a time. Every try counts before its password is looked at, a right one clears the
# counter; the wait grows with the tries. A browser that its user has signed in from has a counter of its own, so that
# strangers who try somebody's name do not lock them out.

TRIES_PER_USERNAME = ("5 per 1 minute", "10 per 15 minutes", "25 per 6 hours")
TRIES_PER_DEVICE = ("5 per 1 minute", "15 per 15 minutes")
TRIES_PER_ADDRESS = ("30 per 1 minute", "300 per 1 hour")
TRIES_EVERYWHERE = ("600 per 1 minute",)
THROTTLE_NOTICES = "1 per 1 hour"
SIGN_UPS_PER_ADDRESS = ("10 per 1 hour", "30 per 1 day")


class SignInThrottled(Refusal):
    """Too many tries; the next one is heard after `wait_seconds`."""

    def __init__(self, *, wait_seconds: int) -> None:
        self.wait_seconds = max(1, wait_seconds)
        minutes = -(-self.wait_seconds // 60)
        if minutes > 1:
            super().__init__(N_("Too many tries. Try again in %(minutes)s minutes."), minutes=minutes)
        else:
            super().__init__(N_("Too many tries. Try again in %(seconds)s seconds."), seconds=self.wait_seconds)


class WrongCredentials(Refusal):
    """No such user or not this password: told alike."""

    def __init__(self) -> None:
        super().__init__(N_("The username or the password is wrong."))


class Suspended(Refusal):
    """The right password, of somebody who may not get in."""


# The audit


class Action(StrEnum):
    """What this capability writes into the audit."""

    ACCOUNT_CREATED = "account.created"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_SUSPENDED = "account.suspended"
    ACCOUNT_RESUMED = "account.resumed"
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    SIGNED_IN = "user.signed_in"
    SIGNED_OUT = "user.signed_out"
    SIGN_IN_THROTTLED = "user.sign_in_throttled"
    SESSIONS_ENDED = "user.sessions_ended"
    PASSWORD_CHANGED = "user.password_changed"  # noqa: S105 - a name, not a password
    PASSWORD_RESET = "user.password_reset"  # noqa: S105 - a name, not a password


ACTION_LABELS: dict[str, str] = {
    Action.ACCOUNT_CREATED: N_("Account opened"),
    Action.ACCOUNT_CHANGED: N_("Account changed"),
    Action.ACCOUNT_SUSPENDED: N_("Account suspended"),
    Action.ACCOUNT_RESUMED: N_("Account resumed"),
    Action.USER_CREATED: N_("User added"),
    Action.USER_CHANGED: N_("User changed"),
    Action.USER_DISABLED: N_("User deactivated"),
    Action.USER_ENABLED: N_("User activated"),
    Action.SIGNED_IN: N_("Signed in"),
    Action.SIGNED_OUT: N_("Signed out"),
    Action.SIGN_IN_THROTTLED: N_("Sign-in throttled"),
    Action.SESSIONS_ENDED: N_("Sessions ended"),
    Action.PASSWORD_CHANGED: N_("Password changed"),
    Action.PASSWORD_RESET: N_("Password reset by staff"),
}
