"""Addresses of the web in texts, and over which lines they may go. Plain Python."""

import re
import unicodedata
from datetime import datetime
from enum import StrEnum

from sms.core.errors import Refusal
from sms.core.text import N_


class LinkPolicy(StrEnum):
    """What a line makes of texts with an address. Operators ask for a permission on many lines (domain reference §3.4:
    links), and refuse what has none; so it is refused here, before anything is paid."""

    ALLOWED = "allowed"
    PERMISSION = "permission"
    FORBIDDEN = "forbidden"


POLICY_LABELS: dict[str, str] = {
    LinkPolicy.ALLOWED: N_("Links are allowed"),
    LinkPolicy.PERMISSION: N_("Links need permission"),
    LinkPolicy.FORBIDDEN: N_("Links are forbidden"),
}
REASON_LENGTH = 300

# What people write behind the last dot of an address; without a scheme only these make one of a word with a dot.
_TOPS = (
    "ir|ایران|com|org|net|info|biz|app|dev|io|co|me|ly|gl|gd|to|ai|shop|store|online|site|website|club|top|xyz|link|click"
    "|live|life|pro|blog|tech|space|fun|news|agency|company|center|group|world|today|cloud|digital|network|page|us|uk|de"
    "|fr|nl|eu|ru|tr|cn|in|ca|au|ch|at|se|no|fi|dk|pl|cz|it|es|ae|iq|af|tj|uz|az|am|kw|qa|om|bh|sa|tv|cc|ws|am|fm|su|gg"
    "|sh|st|vc|mobi|asia|name|tel|xn--[a-z0-9-]+"
)
_WITH_SCHEME = re.compile(r"(?:https?|ftp)\s?:\s?/\s?/\s?\S", re.IGNORECASE)
_MAIL = re.compile(r"[\w.+-]+@[\w-]++(?:\.[\w-]++)++(?![/:])")
_BARE = re.compile(
    rf"(?<![\w-])(?:www\.\w"
    rf"|(?:[\w-]{{1,63}}\.)+(?:{_TOPS})(?![\w-])"
    rf"|(?:[\w-]{{2,63}}\.)+[a-z]{{2,24}}/"
    rf"|\d{{1,3}}(?:\.\d{{1,3}}){{3}}[:/])",
    re.IGNORECASE,
)
_DOTS = str.maketrans(dict.fromkeys("。．｡․", "."))


def has_address(body: str) -> bool:
    """Whether a text holds an address of the web, with or without a scheme; tricks with letters and signs that cannot
    be seen do not hide one, and an e-mail address is none."""
    seen = "".join(each for each in body if unicodedata.category(each) != "Cf")
    folded = unicodedata.normalize("NFKC", seen.translate(_DOTS))
    return bool(_WITH_SCHEME.search(folded) or _BARE.search(_MAIL.sub(" ", folded)))


class LinkRefused(Refusal):
    """The line does not take texts with an address."""


def link_refusal(body: str, *, number: str, policy: str, is_permitted: bool) -> LinkRefused | None:
    """Why a text cannot go over a line because of an address in it; None when it can."""
    if policy == LinkPolicy.ALLOWED or (policy == LinkPolicy.PERMISSION and is_permitted) or not has_address(body):
        return None
    if policy == LinkPolicy.FORBIDDEN:
        return LinkRefused(
            N_("Texts with a link cannot go over line %(number)s. Choose another line, or leave the link out."),
            number=number,
        )
    return LinkRefused(
        N_("Texts with a link need a permission on line %(number)s, and you have none. Ask the staff for it."),
        number=number,
    )


def check_reason(reason: str) -> str:
    """Why somebody is permitted to send links, such as the number of a letter; raises Refusal when nothing is said."""
    trimmed = " ".join(reason.split())
    if not trimmed:
        raise Refusal(N_("State why: the operator may ask for it."))
    if len(trimmed) > REASON_LENGTH:
        raise Refusal(N_("A reason has at most %(most)s characters."), most=REASON_LENGTH)
    return trimmed


def check_expiry(expires_at: datetime | None, *, at: datetime) -> datetime | None:
    """When a permission ends; raises Refusal for a moment that is over."""
    if expires_at is not None and expires_at <= at:
        raise Refusal(N_("Choose a day that is still to come."))
    return expires_at
