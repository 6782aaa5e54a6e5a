"""An operator's SMSC over SMPP 3.4: we stay bound, submits and receipts flow both ways."""

import ssl
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from sms.core.parts import profile_of
from sms.core.text import N_
from sms.operators.adapters.smpp import codes
from sms.operators.contract import (
    Access,
    FieldKind,
    Line,
    SettingField,
    Submission,
    Unreachable,
    checked_settings,
)
from sms.operators.protocols.smpp.connection import BindKind, BindSettings
from sms.operators.protocols.smpp.ids import IdStyle
from sms.operators.protocols.smpp.line import SmppLine, knock
from sms.operators.protocols.smpp.link import trouble_of
from sms.operators.protocols.smpp.parcel import Reported
from sms.operators.protocols.smpp.pdus import Address, SubmitTemplate
from sms.operators.protocols.smpp.reading import Reader
from sms.operators.protocols.smpp.texts import Joining, parts_of
from sms.operators.protocols.smpp.verdicts import Verdict
from sms.operators.rules import Capability, Outcome

UNUSABLE_ADDRESS = N_("The operator's address must be smpp://host:port or smpps://host:port.")
_PORTS = {"smpp": 2775, "smpps": 3550}
_SEPARATE = "separate"
_TONS = {str(number): str(number) for number in range(7)}
_CODES = r"(\w+([ ,]+\w+)*)?"
_OUTCOMES = "|".join(Outcome)
_ERRORS = rf"(\w+=({_OUTCOMES})([ ,]+\w+=({_OUTCOMES}))*)?"


def _number(name: str, label: str, default: float, *, least: float, most: float, hint: str = "") -> SettingField:
    return SettingField(
        name=name, label=label, kind=FieldKind.NUMBER, default=default, least=least, most=most, hint=hint
    )


def _choice(name: str, label: str, default: str, choices: dict[str, str], hint: str = "") -> SettingField:
    return SettingField(name=name, label=label, kind=FieldKind.CHOICE, default=default, choices=choices, hint=hint)


def _text(name: str, label: str, pattern: str, example: str, hint: str = "") -> SettingField:
    return SettingField(
        name=name, label=label, kind=FieldKind.TEXT, default="", pattern=pattern, example=example, hint=hint
    )


FIELDS = (
    _choice(
        "bind_kind",
        N_("Kind of bind"),
        BindKind.TRANSCEIVER,
        {BindKind.TRANSCEIVER: N_("Transceiver"), _SEPARATE: N_("Transmitter and receiver")},
    ),
    _number(
        "binds", N_("Binds at once"), 1, least=1, most=16, hint=N_("Of each kind; no more than the operator allows.")
    ),
    _number(
        "window",
        N_("Unanswered messages per bind"),
        50,
        least=1,
        most=1000,
        hint=N_("So many are of unknown fate when a link breaks."),
    ),
    _number(
        "per_second",
        N_("Messages per second"),
        0,
        least=0,
        most=100_000,
        hint=N_("As agreed with the operator; 0 for no limit."),
    ),
    _choice(
        "joining",
        N_("Long texts"),
        Joining.UDH,
        {
            Joining.UDH: N_("Parts with a header (UDH)"),
            Joining.SAR: N_("Parts with parameters (SAR)"),
            Joining.PAYLOAD: N_("Whole, as message_payload"),
        },
    ),
    _choice(
        "reports",
        N_("Reports of long texts"),
        Reported.ALL,
        {
            Reported.ALL: N_("For every part"),
            Reported.LAST: N_("For the last part"),
            Reported.FIRST: N_("For the first part"),
        },
    ),
    _choice(
        "id_style",
        N_("Message ids in reports"),
        IdStyle.LEARN,
        {
            IdStyle.LEARN: N_("To be found out from the first reports"),
            IdStyle.EXACT: N_("Exactly as in the answer"),
            IdStyle.PADDED: N_("Padded with zeros, or in another case"),
            IdStyle.DECIMAL_TO_HEX: N_("Decimal, where the answer is hexadecimal"),
            IdStyle.HEX_TO_DECIMAL: N_("Hexadecimal, where the answer is decimal"),
            IdStyle.MIXED: N_("Now this way, now that"),
        },
    ),
    _text("system_type", N_("System type"), r"[\x21-\x7e]{0,12}", "SMPP"),
    _text("service_type", N_("Service type"), r"[\x21-\x7e]{0,5}", "CMT"),
    _choice("source_ton", N_("Type of number of the line"), "0", _TONS),
    _choice("source_npi", N_("Numbering plan of the line"), "0", {**_TONS, "8": "8"}),
    _choice("recipient_ton", N_("Type of number of recipients"), "1", _TONS),
    _choice("recipient_npi", N_("Numbering plan of recipients"), "1", {**_TONS, "8": "8"}),
    _number("enquire_seconds", N_("Check of a quiet link after"), 30, least=1, most=600, hint=N_("Seconds.")),
    SettingField(
        name="own_reference",
        label=N_("Give our own id along (user_message_reference)"),
        kind=FieldKind.FLAG,
        default=True,
        hint=N_("It helps to resolve unknown fates where the operator sends it back."),
    ),
    _text(
        "credit_codes",
        N_("Statuses that mean: no credit"),
        _CODES,
        "0x0401 1026",
        N_("Every operator has its own; the gateway stops when it is told one of them."),
    ),
    _text(
        "error_outcomes",
        N_("Meanings of error codes in reports"),
        _ERRORS,
        "027=blocked 016=not_in_network",
        N_("Only of messages that were not delivered; refunds follow from it."),
    ),
)


class Smpp:
    """One account at an SMSC."""

    code: ClassVar[str] = "smpp"
    label: ClassVar[str] = N_("SMPP 3.4")
    capability: ClassVar[Capability] = Capability.NOTHING
    max_batch: ClassVar[int] = 1000
    credential_fields: ClassVar[Sequence[str]] = ("username", "password")
    setting_fields: ClassVar[Sequence[SettingField]] = FIELDS
    schemes: ClassVar[Sequence[str]] = ("smpp", "smpps")
    is_bound: ClassVar[bool] = True

    def __init__(self, access: Access) -> None:
        self._own = dict[str, Any](checked_settings(FIELDS, access.settings))
        self._binds = _bind_settings(access, self._own)
        limits = [limit for limit in (self._own["per_second"], access.per_second) if limit]
        # A text that goes out whole has one answer and one report.
        is_whole = self._own["joining"] == Joining.PAYLOAD
        self._reported = Reported.LAST if is_whole else Reported(self._own["reports"])
        self._per_second = min(limits, default=None)
        self._credit = {_status(word) for word in _words(self._own["credit_codes"])}

    def line(self) -> Line:
        """The account's binds, not started yet."""
        own = self._own
        pairs = (word.partition("=") for word in _words(own["error_outcomes"]))
        return SmppLine(
            self._binds,
            self._kinds() * own["binds"],
            templates=self._templates,
            verdicts=self._verdict,
            reader=Reader(errors={error.lstrip("0"): Outcome(outcome) for error, _, outcome in pairs}),
            reported=self._reported,
            id_style=IdStyle(own["id_style"]),
            per_second=self._per_second,
            tells_reference=own["own_reference"],
        )

    def balance(self) -> int | None:
        """SMPP knows no balance: bind once and unbind, which proves address, name and password."""
        try:
            knock(self._binds, self._kinds()[0])
        except (OSError, TimeoutError, UnicodeError) as error:
            raise trouble_of(error) from error
        return None

    def close(self) -> None:
        """Nothing is kept open here: a line is closed by whoever opened it."""

    def _kinds(self) -> tuple[BindKind, ...]:
        if self._own["bind_kind"] == _SEPARATE:
            return BindKind.TRANSMITTER, BindKind.RECEIVER
        return (BindKind.TRANSCEIVER,)

    def _verdict(self, status: int) -> Verdict:
        if status in self._credit:
            return codes.CREDIT
        return codes.STATUSES.get(status, codes.REFUSED)

    def _templates(self, submission: Submission) -> list[SubmitTemplate]:
        own = self._own
        joining, reported = Joining(own["joining"]), self._reported
        parts = parts_of(
            submission.body,
            is_unicode=submission.is_unicode,
            reference=submission.reference,
            joining=joining,
            profile=profile_of(submission.joined_units),
        )
        wanted = {Reported.ALL: range(len(parts)), Reported.FIRST: (0,), Reported.LAST: (len(parts) - 1,)}[reported]
        return [
            SubmitTemplate(
                source=Address(submission.line_number, int(own["source_ton"]), int(own["source_npi"])),
                recipient=Address("", int(own["recipient_ton"]), int(own["recipient_npi"])),
                part=part,
                service_type=own["service_type"],
                wants_report=place in wanted,
            )
            for place, part in enumerate(parts)
        ]


def _bind_settings(access: Access, own: dict[str, Any]) -> BindSettings:
    parts = urlsplit(access.base_url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Unreachable(UNUSABLE_ADDRESS)
    context = None
    if parts.scheme == "smpps":
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    return BindSettings(
        host=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        system_id=access.credentials.get("username", ""),
        password=access.credentials.get("password", ""),
        system_type=own["system_type"],
        tls_context=context,
        window=int(own["window"]),
        connect_seconds=min(10.0, access.timeout_seconds),
        answer_seconds=access.timeout_seconds,
        idle_seconds=float(own["enquire_seconds"]),
        check_seconds=min(15.0, access.timeout_seconds),
    )


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _status(word: str) -> int:
    try:
        return int(word, 0)
    except ValueError:
        return -1
