"""What operators send by themselves, read: receipts about our messages, and texts to our lines."""

import logging
from collections.abc import Iterable, Mapping

from sms.operators.contract import InboundPart, InboundText, Receipt, Report
from sms.operators.protocols.smpp.connection import Handle
from sms.operators.protocols.smpp.ids import IdStyle, candidates
from sms.operators.protocols.smpp.pdus import Command, Delivered, Malformed, Tag, read_data, read_deliver, udh_of
from sms.operators.protocols.smpp.receipts import OUTCOMES, Told, code_of, read_receipt
from sms.operators.protocols.smpp.texts import concatenation, decoded
from sms.operators.rules import Outcome

log = logging.getLogger(__name__)
_DATA = int(Command.DATA_SM)
_MOBILE_DIGITS, _NATIONAL_DIGITS = 12, 10
_COUNTRY = "98"
_MOST_MEANINGS = 1_000
_Meaning = tuple[str, Outcome | None, bool]  # the code for people, the outcome, and whether the state is one we know


class Reader:
    """Reads arrivals; `errors` are the outcomes of an operator's own error codes, written without leading zeros."""

    def __init__(self, *, errors: Mapping[str, Outcome]) -> None:
        self._errors = errors
        self._meanings: dict[tuple[str, str], _Meaning] = {}

    def read(self, arrived: Iterable[tuple[Handle, bytes]], style: IdStyle) -> "Read":
        """Sort them; what nobody can read is told apart, so that the operator does not send it again and again."""
        found = Read()
        for handle, body in arrived:
            try:
                delivered = read_data(body) if handle[1] == _DATA else read_deliver(body)
            except Malformed as error:
                log.warning("an arrival that cannot be read: %s", error)
                found.unreadable.append(handle)
                continue
            if delivered.is_receipt:
                found.receipts.append(self._receipt(delivered, style, handle))
            else:
                found.handles.append(handle)
                _sort_text(delivered, found)
        return found

    def _receipt(self, delivered: Delivered, style: IdStyle, handle: Handle) -> Receipt:
        told = read_receipt(delivered)
        meaning = self._meanings.get((told.state, told.error)) or self._meaning(told)
        report = Report(told.ref, meaning[0], meaning[1], told.done_at, meaning[2])
        recipient, line_number = _who(delivered)
        return Receipt(report, candidates(told.ref, style), recipient, line_number, told.user_reference, handle)

    def _meaning(self, told: Told) -> _Meaning:
        """What a state with an error comes to; there are few of them, and many receipts."""
        meaning = code_of(told), self._outcome(told), told.state in OUTCOMES
        if len(self._meanings) < _MOST_MEANINGS:
            self._meanings[told.state, told.error] = meaning
        return meaning

    def _outcome(self, told: Told) -> Outcome | None:
        outcome = OUTCOMES.get(told.state)
        if outcome is Outcome.UNDELIVERED and self._errors:
            return self._errors.get(told.error.lstrip("0"), outcome)
        return outcome


class Read:
    """Arrivals, sorted."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []
        self.texts: list[InboundText] = []
        self.parts: list[InboundPart] = []
        self.handles: list[Handle] = []
        self.unreadable: list[Handle] = []


def _who(delivered: Delivered) -> tuple[int | None, str]:
    """Recipient and line of a receipt: it comes from the recipient, but some operators turn the addresses round."""
    recipient = mobile(delivered.source)
    if recipient is not None:
        return recipient, delivered.destination
    return mobile(delivered.destination), delivered.source


def mobile(address: str) -> int | None:
    """989121234567 for a mobile number in any of its spellings."""
    if len(address) == _MOBILE_DIGITS and address.startswith("989") and address.isascii() and address.isdecimal():
        return int(address)  # nearly always
    digits = address.lstrip("+0")
    if len(digits) == _NATIONAL_DIGITS and digits[0] == "9":
        digits = _COUNTRY + digits
    is_mobile = len(digits) == _MOBILE_DIGITS and digits.startswith("989") and digits.isascii() and digits.isdigit()
    return int(digits) if is_mobile else None


def _sort_text(delivered: Delivered, found: Read) -> None:
    elements, content = udh_of(delivered.content) if delivered.has_udh else ([], delivered.content)
    joined = concatenation(elements) or _by_parameters(delivered.tlvs)
    if joined is None or joined[1] < 2 or not 1 <= joined[2] <= joined[1]:  # noqa: PLR2004 - one part is no part
        text = decoded(content, delivered.data_coding)
        found.texts.append(InboundText(delivered.source, delivered.destination, text, sent_at=None))
        return
    reference, total, place = joined
    found.parts.append(
        InboundPart(
            sender=delivered.source,
            line_number=delivered.destination,
            reference=reference,
            total=total,
            place=place,
            content=content,
            data_coding=delivered.data_coding,
        )
    )


def _by_parameters(tlvs: Mapping[int, bytes]) -> tuple[int, int, int] | None:
    values = [tlvs.get(tag) for tag in (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)]
    numbers = [int.from_bytes(value) for value in values if value]
    return (numbers[0], numbers[1], numbers[2]) if len(numbers) == len(values) else None
