"""What may be changed on a simulated operator while it runs."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

from sms.simulator.characters import Character
from sms.simulator.faults import GARBAGE

DUPLICATES = ("accept", "same")


class UnusableControl(ValueError):
    """There is no such control, or it cannot take this value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The state of the knobs; shares lie between 0 and 1."""

    accept_delay_ms: float
    report_delay_seconds: tuple[float, float]
    is_cut_off: bool = False  # connections are closed without an answer; an own port refuses them
    is_silent: bool = False  # takes every request and never answers
    cut_reply_share: float = 0.0  # of sends: accepted, and the reply breaks off before its first byte of JSON
    garbage_share: float = 0.0  # of all requests: carried out, and answered with garbage
    garbage_kinds: tuple[str, ...] = tuple(GARBAGE)
    duplicates: str = "accept"  # a uid seen before: accepted again, or told its first id
    refuse_status: int = 0  # answered to every send, nothing accepted; 0 = no
    status_unknown_seconds: float = 0.0  # `mid` does not know a message younger than this
    is_http_401: bool = False  # wrong credentials get HTTP 401 instead of status 18 in a 200


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


_CHECKS: dict[str, tuple[Callable[[object], bool], str]] = {
    "accept_delay_ms": (_number, "a number of milliseconds"),
    "report_delay_seconds": (
        lambda value: isinstance(value, list) and [*map(_number, value)] == [True, True] and value[0] <= value[1],
        "[least, most] in seconds",
    ),
    "garbage_kinds": (
        lambda value: isinstance(value, list) and bool(value) and all(kind in GARBAGE for kind in value),
        f"a list of {', '.join(GARBAGE)}",
    ),
    "duplicates": (lambda value: value in DUPLICATES, f"one of {', '.join(DUPLICATES)}"),
    "refuse_status": (lambda value: type(value) is int and value >= 0, "an error code, or 0"),
    "status_unknown_seconds": (_number, "a number of seconds"),
    **{
        name: (lambda value: _number(value) and 0 <= value <= 1, "a share from 0 to 1")  # type: ignore[operator]
        for name in ("cut_reply_share", "garbage_share")
    },
    **{
        name: (lambda value: isinstance(value, bool), "true or false")
        for name in ("is_cut_off", "is_silent", "is_http_401")
    },
}


def untouched(character: Character) -> Controls:
    """The knobs as the character has them."""
    return Controls(accept_delay_ms=character.accept_delay_ms, report_delay_seconds=character.report_delay_seconds)


def changed(controls: Controls, wanted: Mapping[str, object]) -> Controls:
    """The knobs after a change; raises UnusableControl and nothing is changed."""
    for name, value in wanted.items():
        holds, expected = _CHECKS.get(name, (None, ""))
        if holds is None:
            raise UnusableControl(f"there is no control {name}; there are {', '.join(sorted(_CHECKS))}")
        if not holds(value):
            raise UnusableControl(f"{name} must be {expected}")
    return replace(controls, **{name: tuple(v) if isinstance(v, list) else v for name, v in wanted.items()})  # type: ignore[arg-type]


def shown(controls: Controls) -> dict[str, object]:
    """The knobs by name, ready for JSON."""
    return {field.name: getattr(controls, field.name) for field in fields(controls)}


def from_words(words: list[str]) -> dict[str, object]:
    """Read `name=value` words of a command line: JSON where it is JSON, else text; raises UnusableControl."""
    if not all("=" in word for word in words):
        raise UnusableControl("controls are given as name=value")
    return {name: _value(text) for name, _, text in (word.partition("=") for word in words)}


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
