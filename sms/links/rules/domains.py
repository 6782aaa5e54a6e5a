"""Lists of domains: what is denied, what is trusted, what is shown before anybody goes there. Plain Python."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sms.core.text import N_
from sms.links.rules.targets import Sign, Target, UnusableTarget, check_host, signs_of


class Verdict(StrEnum):
    """What the staff say of a domain and all below it."""

    DENY = "deny"
    ALLOW = "allow"
    PREVIEW = "preview"


VERDICT_LABELS: dict[str, str] = {
    Verdict.DENY: N_("Denied"),
    Verdict.ALLOW: N_("Trusted"),
    Verdict.PREVIEW: N_("Shown first"),
}
VERDICT_MEANINGS: dict[str, str] = {
    Verdict.DENY: N_("No link can lead there, and those that do are stopped at once, also in texts that were sent."),
    Verdict.ALLOW: N_("Nothing about it is suspicious: whoever follows a link arrives there directly."),
    Verdict.PREVIEW: N_("Whoever follows a link sees the real address first and decides himself."),
}
LATELY = timedelta(days=30)
NOTE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of the list; `ended_at` when it holds no more."""

    domain: str
    verdict: str
    ended_at: datetime | None = None


def check_domain(text: str) -> str:
    """A domain for the list, in its wire spelling; what stands around it in an address is left out."""
    bare = text.strip().lower()
    for prefix in ("https://", "http://", "*.", "www."):
        bare = bare.removeprefix(prefix)
    return check_host(bare.split("/", 1)[0].strip("."))


def suffixes(host: str) -> list[str]:
    """The host and every domain above it, the most particular first; a number has none above it."""
    labels = host.split(".")
    if ":" in host or labels[-1].isdigit():
        return [host]
    return [".".join(labels[place:]) for place in range(len(labels))]


class DeniedTarget(UnusableTarget):
    """The staff let no link lead there."""

    def __init__(self, host: str) -> None:
        super().__init__(N_("No link can lead to %(host)s: the staff have blocked it."), host=host)


@dataclass(frozen=True, slots=True)
class Judged:
    """What holds for a target: denied, or by which signs suspicious."""

    is_denied: bool
    signs: frozenset[Sign] = frozenset()

    @property
    def is_suspicious(self) -> bool:
        """Whether it is shown before anybody goes there."""
        return bool(self.signs)


def judge(target: Target, listed: Sequence[Listed], *, minded: Collection[str], at: datetime) -> Judged:
    """What holds for a target by the rows of its own domains and by the signs that the installation minds.

    The most particular domain decides: one that is trusted below a denied one is trusted.
    """
    order = suffixes(target.host)
    open_rows = {row.domain: row.verdict for row in listed if row.ended_at is None}
    verdict = next((open_rows[domain] for domain in order if domain in open_rows), None)
    if verdict == Verdict.DENY:
        return Judged(is_denied=True)
    if verdict == Verdict.ALLOW:
        return Judged(is_denied=False)
    found = signs_of(target)
    if verdict == Verdict.PREVIEW:
        found.add(Sign.LISTED)
    if any(row.verdict == Verdict.DENY and row.ended_at and at - row.ended_at < LATELY for row in listed):
        found.add(Sign.LATELY_DENIED)
    return Judged(is_denied=False, signs=frozenset(sign for sign in found if sign in minded))
