"""Speaks Kavenegar's REST: sendarray, status, statuslocalmessageid, receive, account/info."""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import quote, quote_plus, urlencode

from sms.core.text import N_
from sms.operators.adapters.kavenegar import codes
from sms.operators.adapters.kavenegar.replies import ENTRIES, HTTP_OK, answers_of, code_of, number_of, reference_of
from sms.operators.contract import (
    UNKNOWN_FATE,
    Access,
    Answer,
    AnswerKind,
    BadCredentials,
    Envelope,
    FieldKind,
    InboundText,
    OperatorError,
    OutOfCredit,
    Payload,
    RawInbound,
    Refused,
    Report,
    SettingField,
    Submission,
    Unanswered,
)
from sms.operators.protocols.http import HTTP_SCHEMES, HttpClient, HttpReply
from sms.operators.protocols.pushed import reports_of
from sms.operators.protocols.replies import Row, mrial_of, rows_of, torn_rows, whole_of
from sms.operators.rules import Capability

log = logging.getLogger(__name__)
OUT_OF_CREDIT = N_("Our account at the operator has no credit left (code %(code)s).")
NOT_KNOWN_THERE = N_("The operator does not accept our account or address (code %(code)s).")
BUSY = N_("The operator is busy and took nothing (code %(code)s).")
REFUSED = N_("The operator refused the request (code %(code)s).")

_DIVIDED = frozenset(map(str, codes.DIVIDED))
_LATEST = 4_102_444_800  # the year 2100: a date beyond it is none


class Kavenegar:
    """One account at Kavenegar. Repeating a submission under the same local ids answers with the first records."""

    code: ClassVar[str] = "kavenegar"
    label: ClassVar[str] = N_("Kavenegar (REST)")
    capability: ClassVar[Capability] = Capability.DEDUPES
    max_batch: ClassVar[int] = 200
    max_statuses: ClassVar[int] = 500
    remembers_seconds: ClassVar[float] = 11 * 3600  # they know a local id for 12 hours
    credential_fields: ClassVar[Sequence[str]] = ("api_key",)
    setting_fields: ClassVar[Sequence[SettingField]] = (
        SettingField(
            name="inbound_lines",
            label=N_("Further lines whose inbound texts are fetched"),
            kind=FieldKind.TEXT,
            default="",
            hint=N_("Numbers separated by blanks; the dedicated lines of this gateway need not be named."),
            pattern=r"(\d{4,20}( +|$))*",
            example="10004346 30002225",
        ),
    )
    schemes: ClassVar[Sequence[str]] = HTTP_SCHEMES
    is_bound: ClassVar[bool] = False

    def __init__(self, access: Access) -> None:
        # The key is a part of every address, so no address may ever be told: not in an error, not in a log.
        self._key = quote(access.credentials.get("api_key", ""), safe="")
        self._timeout_seconds = access.timeout_seconds
        self._lines = str(access.settings.get("inbound_lines") or "").split()
        self._http = HttpClient(
            base_url=access.base_url,
            headers={},
            timeout_seconds=access.timeout_seconds,
            concurrency=access.concurrency,
        )

    def submit(self, submission: Submission) -> list[Answer]:
        """Send; the answers are complete, or Unanswered carries those that came whole.

        One wrong number spoils a whole request there: such a one is divided until the wrong number stands alone.
        """
        deadline = time.monotonic() + self._timeout_seconds
        waiting: list[Sequence[Envelope]] = [submission.envelopes]
        answers: list[Answer] = []
        is_untouched = True  # nothing can have been taken so far
        while waiting and (left := deadline - time.monotonic()) > 0:
            some = waiting.pop()
            try:
                answers += self._submit(submission, some, within_seconds=left)
                is_untouched = False
            except Unanswered as error:
                answers += error.answers
                is_untouched = False
            except OperatorError as error:
                if isinstance(error, Refused) and error.code in _DIVIDED:
                    waiting += [some[len(some) // 2 :], some[: len(some) // 2]]
                elif is_untouched:
                    raise
                else:
                    break
        if len(answers) < len(submission.envelopes):
            raise Unanswered(UNKNOWN_FATE, answers=answers)
        return answers

    def _submit(self, submission: Submission, envelopes: Sequence[Envelope], *, within_seconds: float) -> list[Answer]:
        path = f"{self._key}/sms/sendarray.json"
        reply = self._http.post_form(path, _send_form(submission, envelopes), within_seconds=within_seconds)
        code = code_of(reply)
        if code in codes.REFUSALS and (code not in codes.DIVIDED or len(envelopes) == 1):
            return [
                Answer(envelope.message_id, AnswerKind.REFUSED, code=str(code), outcome=codes.REFUSALS[code])
                for envelope in envelopes
            ]
        answers = answers_of(reply, envelopes)
        if len(answers) < len(envelopes):
            if not answers:
                _raise_refusal(reply)
            raise Unanswered(UNKNOWN_FATE, answers=answers)
        return answers

    def statuses(self, operator_refs: Sequence[str]) -> list[Report]:
        """The reports of these references; Kavenegar tells them without a date."""
        asked = {ref for ref in operator_refs if ref.isascii() and ref.isdigit()}
        if not asked:
            return []
        answer = self._ask("sms/status.json", messageid=",".join(sorted(asked)))
        reports = [report_of(row.get("messageid"), row.get("status")) for row in rows_of(answer, ENTRIES)]
        return [report for report in reports if report is not None and report.operator_ref in asked]

    def lookup(self, message_id: int) -> str | None:
        """Kavenegar's id of our id, which it knows for twelve hours; None when it does not know it."""
        is_told, ref = reference_of(self._ask("sms/statuslocalmessageid.json", localid=str(message_id)), message_id)
        if not is_told:
            raise Unanswered(UNKNOWN_FATE)
        return ref

    def balance(self) -> int:
        """Kavenegar tells rial."""
        account = self._ask("account/info.json").get(ENTRIES)
        balance_mrial = mrial_of(account.get("remaincredit")) if isinstance(account, Mapping) else None
        if balance_mrial is None:
            raise Unanswered(UNKNOWN_FATE)
        return balance_mrial

    def inbound(self, limit: int, lines: Sequence[str] = (), *, again: bool = False) -> Iterator[RawInbound]:
        """Texts line by line, of these lines and of those named in the settings; each line gives up to a hundred and
        marks them as read. `again`: those marked as read, of which the latest are told. A line that is refused, as
        one that is not theirs, keeps nobody from asking for the others; only when all are, that is raised."""
        refused: Refused | None = None
        told = 0
        for line in dict.fromkeys([*lines, *self._lines]):
            reply = self._post("sms/receive.json", linenumber=line, isread="1" if again else "0")
            answer = whole_of(reply)
            if reply.status != HTTP_OK or (answer is not None and code_of(reply) != codes.OK):
                try:
                    _raise_refusal(reply)
                except Refused as error:
                    if error.retry_after_seconds:
                        raise
                    log.warning("texts of a line are refused (code %s)", error.code)
                    refused = error
                    continue
                raise Unanswered(UNKNOWN_FATE)
            told += 1
            if answer is None or answer.get(ENTRIES):
                yield RawInbound(reply.body, line, reply.is_whole)
            if answer is None:
                raise Unanswered(UNKNOWN_FATE)
        if refused is not None and not told:
            raise refused

    @staticmethod
    def parse_inbound(raw: RawInbound) -> list[InboundText]:
        """The texts that came whole."""
        answer = whole_of(HttpReply(HTTP_OK, raw.content, raw.is_whole))
        rows = rows_of(answer, ENTRIES) if answer is not None else torn_rows(raw.content, ENTRIES)
        return [_text(row, raw.line_number) for row in rows]

    @staticmethod
    def parse_reports(payload: Payload) -> list[Report]:
        """Reports pushed to us; their names are not documented, so all usual ones are understood."""
        return reports_of(payload, codes.REPORTS)

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def _post(self, method: str, **fields: str) -> HttpReply:
        return self._http.post_form(f"{self._key}/{method}", urlencode(fields))

    def _ask(self, method: str, **fields: str) -> Row:
        """A question whose answer must be whole and say that it went well."""
        reply = self._post(method, **fields)
        answer = whole_of(reply)
        if answer is None or code_of(reply) != codes.OK:
            _raise_refusal(reply)
            raise Unanswered(UNKNOWN_FATE)
        return answer


def _send_form(submission: Submission, envelopes: Sequence[Envelope]) -> str:
    """The request: four JSON arrays as fields of a form; a text that all get is encoded once and repeated."""
    count = len(envelopes)
    own = [_text_of(envelope.body) for envelope in envelopes if envelope.body]
    columns = {
        "receptor": [f"%220{envelope.recipient % 10**10}%22" for envelope in envelopes],
        "sender": [quote_plus(json.dumps(submission.line_number))] * count,
        "message": own or [_text_of(submission.body)] * count,
        "localmessageids": [str(envelope.message_id) for envelope in envelopes],
    }
    return "&".join(f"{name}=%5B{'%2C'.join(items)}%5D" for name, items in columns.items())


def _text_of(body: str) -> str:
    return quote_plus(json.dumps(body, ensure_ascii=False), errors="replace")  # half a surrogate pair has no UTF-8


def _raise_refusal(reply: HttpReply) -> None:
    """Raise what the whole request was told, if it is a word that proves nothing of it was taken."""
    code = code_of(reply)
    if code is None:
        if reply.status in codes.HTTP_NOT_KNOWN_THERE:
            raise BadCredentials(NOT_KNOWN_THERE, code=str(reply.status))
        if reply.status == codes.HTTP_BUSY:
            raise Refused(BUSY, code=str(reply.status), retry_after_seconds=codes.BUSY_SECONDS)
    elif code in codes.OUT_OF_CREDIT:
        raise OutOfCredit(OUT_OF_CREDIT, code=str(code))
    elif code in codes.NOT_KNOWN_THERE:
        raise BadCredentials(NOT_KNOWN_THERE, code=str(code))
    elif code in codes.BUSY:
        raise Refused(BUSY, code=str(code), retry_after_seconds=codes.BUSY_SECONDS)
    elif code in codes.REFUSALS:
        raise Refused(REFUSED, code=str(code))


def report_of(ref: object, status: object) -> Report | None:
    """One report; None for what names no message or no status."""
    number, code = number_of(ref), number_of(status)
    if not number or code is None:
        return None
    return Report(str(number), str(code), codes.REPORTS.get(code), is_known=code in codes.REPORTS)


def _text(row: Row, line: str) -> InboundText:
    sent = number_of(row.get("date"))
    return InboundText(
        sender=str(row.get("sender") or ""),
        line_number=str(row.get("receptor") or line),
        body=str(row.get("message") or ""),
        sent_at=datetime.fromtimestamp(sent, UTC) if sent is not None and sent < _LATEST else None,
        operator_ref=str(number_of(row.get("messageid")) or ""),
    )
