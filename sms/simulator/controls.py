"""What may be changed on a simulated operator while it runs."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from sms.simulator import faults
from sms.simulator.characters import Character, Speech
from sms.simulator.smpp import garbage, receipts

DUPLICATES = ("accept", "same")
GARBAGE: dict[Speech, tuple[str, ...]] = {
    Speech.MAGFA: tuple(faults.GARBAGE),
    # Its answer has nothing but the receptor to tell rows apart by: shifted, nobody could notice.
    Speech.KAVENEGAR: tuple(kind for kind in faults.GARBAGE if kind != "shifted_ids"),
    Speech.SMPP: garbage.KINDS,
}


class UnusableControl(ValueError):
    """There is no such control, or it cannot take this value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The state of the knobs, of which an operator shows those of its protocol; shares lie between 0 and 1."""

    speech: Speech  # not a knob: whose they are
    accept_delay_ms: float
    report_delay_seconds: tuple[float, float]
    garbage_kinds: tuple[str, ...]
    duplicates: str  # a uid seen before: accepted again, or told its first id
    is_cut_off: bool = False  # connections are closed without an answer; a port of its own refuses them
    is_silent: bool = False  # takes every request and never answers
    cut_reply_share: float = 0.0  # of sends: accepted, and the connection breaks off before the answer
    late_share: float = 0.0  # of sends: answered so much later …
    late_seconds: float = 10.0
    garbage_share: float = 0.0  # of all requests (SMPP: of submits): carried out, and answered with garbage
    twice_inbound_share: float = 0.0  # of texts from people: brought twice
    refuse_status: int = 0  # answered to every send, nothing accepted; 0 = no
    # HTTP
    status_unknown_seconds: float = 0.0  # a look-up by our own id does not know a message younger than this
    is_http_401: bool = False  # Magfa: wrong credentials get HTTP 401 instead of status 18 in a 200
    # SMPP: links
    bind_status: int = 0  # answered to every bind; 0 = bound
    most_binds: int = 0  # a further one is refused; 0 = any number
    is_deaf: bool = False  # stops reading
    is_enquire_ignored: bool = False
    enquire_seconds: float = 30.0  # asks a quiet link whether it is there; 0 = never
    close_with_unanswered: int = 0  # the next link with so many submits unanswered is closed, once
    is_cut_by_digits: bool = True  # the last two digits 99 close the link
    # SMPP: submits
    max_per_second: int = 0  # beyond it ESME_RTHROTTLED; 0 = no limit
    window: int = 0  # submits unanswered on a link, beyond it ESME_RTHROTTLED; 0 = any number
    queue_full_share: float = 0.0  # refused with ESME_RMSGQFUL
    nack_share: float = 0.0  # refused with generic_nack
    same_id_share: float = 0.0  # accepted, and told the id of the message before
    out_of_order_share: float = 0.0  # of answers sent together: the last one first
    id_style: str = "exact"
    # SMPP: receipts
    receipt_style: str = "both"
    receipts_for: str = "all"
    is_reference_echoed: bool = True
    early_receipt_share: float = 0.0  # leaves before the answer to its submit
    odd_receipt_share: float = 0.0
    odd_receipt_kinds: tuple[str, ...] = receipts.ODD
    twice_receipt_share: float = 0.0  # comes twice
    flipped_receipt_share: float = 0.0  # of delivered ones: first comes UNDELIV
    stranger_receipt_share: float = 0.0  # one more comes, for an id nobody knows
    receipt_repeat_seconds: float = 10.0  # unacknowledged for so long, it is sent again
    receipt_window: int = 1000  # unacknowledged on one link


class _Knob(NamedTuple):
    holds: Callable[[object], bool]
    expected: str
    speeches: frozenset[Speech] = frozenset(Speech)


_HTTP = frozenset({Speech.MAGFA, Speech.KAVENEGAR})
_SMPP = frozenset({Speech.SMPP})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and _is_number(value) and value <= 1


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_span(value: object) -> bool:
    return isinstance(value, list) and [*map(_is_number, value)] == [True, True] and bool(value[0] <= value[1])


def _one_of(choices: tuple[str, ...], speeches: frozenset[Speech]) -> _Knob:
    return _Knob(lambda value: value in choices, f"one of {', '.join(choices)}", speeches)


def _some_of(choices: tuple[str, ...], speeches: frozenset[Speech]) -> _Knob:
    def holds(value: object) -> bool:
        return isinstance(value, list) and bool(value) and all(kind in choices for kind in value)

    return _Knob(holds, f"a list of {', '.join(choices)}", speeches)


def _each(names: str, holds: Callable[[object], bool], expected: str, speeches: frozenset[Speech]) -> dict[str, _Knob]:
    return dict.fromkeys(names.split(), _Knob(holds, expected, speeches))


_KNOBS: dict[str, _Knob] = {
    "report_delay_seconds": _Knob(_is_span, "[least, most] in seconds"),
    **_each("accept_delay_ms late_seconds", _is_number, "a number, not below 0", frozenset(Speech)),
    **_each(
        "cut_reply_share late_share garbage_share twice_inbound_share",
        _is_share,
        "a share from 0 to 1",
        frozenset(Speech),
    ),
    **_each("is_cut_off is_silent", lambda value: isinstance(value, bool), "true or false", frozenset(Speech)),
    "refuse_status": _Knob(_is_count, "an error code, or 0"),
    "duplicates": _one_of(DUPLICATES, _HTTP),
    "status_unknown_seconds": _Knob(_is_number, "a number of seconds", _HTTP),
    "is_http_401": _Knob(lambda value: isinstance(value, bool), "true or false", frozenset({Speech.MAGFA})),
    **_each(
        "bind_status most_binds close_with_unanswered max_per_second window", _is_count, "a whole number, or 0", _SMPP
    ),
    "receipt_window": _Knob(lambda value: _is_count(value) and value != 0, "a whole number above 0", _SMPP),
    **_each("enquire_seconds receipt_repeat_seconds", _is_number, "a number of seconds", _SMPP),
    **_each(
        "is_deaf is_enquire_ignored is_cut_by_digits is_reference_echoed",
        lambda value: isinstance(value, bool),
        "true or false",
        _SMPP,
    ),
    **_each(
        "queue_full_share nack_share same_id_share out_of_order_share early_receipt_share odd_receipt_share"
        " twice_receipt_share flipped_receipt_share stranger_receipt_share",
        _is_share,
        "a share from 0 to 1",
        _SMPP,
    ),
    "id_style": _one_of(receipts.ID_STYLES, _SMPP),
    "receipt_style": _one_of(receipts.STYLES, _SMPP),
    "receipts_for": _one_of(receipts.PARTS, _SMPP),
    "odd_receipt_kinds": _some_of(receipts.ODD, _SMPP),
}


def _knobs(speech: Speech) -> dict[str, _Knob]:
    own = {name: knob for name, knob in _KNOBS.items() if speech in knob.speeches}
    return own | {"garbage_kinds": _some_of(GARBAGE[speech], frozenset({speech}))}


_KNOBS_OF = {speech: _knobs(speech) for speech in Speech}


def untouched(character: Character) -> Controls:
    """The knobs as the character has them."""
    speech = character.speech
    return Controls(
        speech=speech,
        accept_delay_ms=character.accept_delay_ms,
        report_delay_seconds=character.report_delay_seconds,
        # Those at the end are accepted and called refused: nobody could tell, so they have to be asked for.
        garbage_kinds=garbage.HONEST if speech is Speech.SMPP else GARBAGE[speech],
        duplicates=character.duplicates,
    )


def changed(controls: Controls, wanted: Mapping[str, object]) -> Controls:
    """The knobs after a change; raises UnusableControl and nothing is changed."""
    knobs = _KNOBS_OF[controls.speech]
    for name, value in wanted.items():
        if name not in knobs:
            raise UnusableControl(f"there is no control {name}; there are {', '.join(sorted(knobs))}")
        if not knobs[name].holds(value):
            raise UnusableControl(f"{name} must be {knobs[name].expected}")
    return replace(controls, **{name: tuple(v) if isinstance(v, list) else v for name, v in wanted.items()})  # type: ignore[arg-type]


def shown(controls: Controls) -> dict[str, object]:
    """The knobs of this operator by name, ready for JSON."""
    return {name: getattr(controls, name) for name in sorted(_KNOBS_OF[controls.speech])}


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
