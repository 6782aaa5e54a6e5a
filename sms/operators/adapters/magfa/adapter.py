"""Speaks Magfa's HTTP v2: send, statuses, mid, balance, messages."""

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import ClassVar
from zoneinfo import ZoneInfo

from sms.core.text import N_
from sms.operators.adapters.magfa import codes
from sms.operators.adapters.magfa.replies import answers_of
from sms.operators.contract import (
    UNKNOWN_FATE,
    Access,
    Answer,
    BadCredentials,
    InboundText,
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

OUT_OF_CREDIT = N_("Our account at the operator has no credit left (code %(code)s).")
NOT_KNOWN_THERE = N_("The operator does not accept our account or address (code %(code)s).")
BUSY = N_("The operator is busy and took nothing (code %(code)s).")
REFUSED = N_("The operator refused the request (code %(code)s).")

HTTP_OK = 200
NO_SUCH_ID = str(codes.NO_SUCH_ID)
AUTO_ENCODING, UCS2_ENCODING = 0, 2
_TEHRAN = ZoneInfo("Asia/Tehran")
_FIRST_YEAR = 2000


class Magfa:
    """One account at Magfa. A message is known by our own id there (`uid`), never by its place in an answer."""

    code: ClassVar[str] = "magfa"
    label: ClassVar[str] = N_("Magfa (HTTP v2)")
    capability: ClassVar[Capability] = Capability.LOOKS_UP
    max_batch: ClassVar[int] = 100
    max_statuses: ClassVar[int] = 100
    remembers_seconds: ClassVar[float] = 23 * 3600  # they forget after 24 hours
    credential_fields: ClassVar[Sequence[str]] = ("username", "domain", "password")
    setting_fields: ClassVar[Sequence[SettingField]] = ()
    schemes: ClassVar[Sequence[str]] = HTTP_SCHEMES
    is_bound: ClassVar[bool] = False

    def __init__(self, access: Access) -> None:
        username, domain, password = (access.credentials.get(name, "") for name in self.credential_fields)
        secret = base64.b64encode(f"{username}/{domain}:{password}".encode()).decode()
        self._http = HttpClient(
            base_url=access.base_url,
            headers={"Authorization": f"Basic {secret}"},
            timeout_seconds=access.timeout_seconds,
            concurrency=access.concurrency,
        )

    def submit(self, submission: Submission) -> list[Answer]:
        """Send; the answers are complete, or Unanswered carries those that came back whole and in order."""
        reply = self._http.post_json("send", _send_body(submission))
        answers = answers_of(reply, submission.envelopes) if reply.status == HTTP_OK else []
        if len(answers) == len(submission.envelopes):
            _refuse_alike(answers)
            return answers
        if not answers:
            _raise_refusal(reply)
        raise Unanswered(UNKNOWN_FATE, answers=answers)

    def statuses(self, operator_refs: Sequence[str]) -> list[Report]:
        """The reports of these references; one that Magfa does not mention has no report."""
        asked = {ref for ref in operator_refs if ref.isascii() and ref.isdigit()}
        if not asked:
            return []
        try:
            reply = self._ask("statuses/" + ",".join(sorted(asked)))
        except Refused as refused:
            if refused.code != NO_SUCH_ID:
                raise
            return [Report(ref, NO_SUCH_ID, outcome=None, is_known=False) for ref in sorted(asked)]
        reports = [_report(row) for row in rows_of(reply, "dlrs")]
        return [report for report in reports if report is not None and report.operator_ref in asked]

    def lookup(self, message_id: int) -> str | None:
        """Magfa's id of our id; None when it does not know it, or not yet."""
        try:
            mid = self._ask(f"mid/{message_id}").get("mid")
        except Refused as refused:
            if refused.code == NO_SUCH_ID:
                return None
            raise
        return str(mid) if type(mid) is int and mid > 0 else None

    def balance(self) -> int:
        """Magfa tells rial, sometimes with a fraction."""
        balance_mrial = mrial_of(self._ask("balance").get("balance"))
        if balance_mrial is None:
            raise Unanswered(UNKNOWN_FATE)
        return balance_mrial

    def inbound(self, limit: int, lines: Sequence[str] = (), *, again: bool = False) -> Iterator[RawInbound]:
        """Texts to our lines; Magfa gives each once and forgets it, so nothing is told again."""
        if again:
            return
        reply = self._http.get(f"messages/{min(limit, self.max_batch)}")
        answer = whole_of(reply)
        if reply.status != HTTP_OK or (answer is not None and answer.get("status") != codes.OK):
            _raise_refusal(reply)
            raise Unanswered(UNKNOWN_FATE)
        if answer is None or answer.get("messages"):
            yield RawInbound(reply.body, is_whole=reply.is_whole)
        if answer is None:
            raise Unanswered(UNKNOWN_FATE)

    @staticmethod
    def parse_inbound(raw: RawInbound) -> list[InboundText]:
        """The texts that came whole."""
        answer = whole_of(HttpReply(HTTP_OK, raw.content, raw.is_whole))
        rows = rows_of(answer, "messages") if answer is not None else torn_rows(raw.content, "messages")
        return [
            InboundText(
                sender=str(row.get("senderNumber") or ""),
                line_number=str(row.get("recipientNumber") or ""),
                body=str(row.get("body") or ""),
                sent_at=_moment(str(row.get("date"))),
            )
            for row in rows
        ]

    @staticmethod
    def parse_reports(payload: Payload) -> list[Report]:
        """Reports pushed to us; their names are not documented, so all usual ones are understood."""
        return reports_of(payload, codes.REPORTS)

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def _ask(self, path: str) -> Row:
        """A question whose answer must be whole and say that it went well."""
        reply = self._http.get(path)
        answer = whole_of(reply) if reply.status == HTTP_OK else None
        if answer is None or answer.get("status") != codes.OK:
            _raise_refusal(reply)
            raise Unanswered(UNKNOWN_FATE)
        return answer


def _send_body(submission: Submission) -> bytes:
    """The request; a text that all get is written once and repeated, as Magfa wants one for each recipient."""
    envelopes = submission.envelopes
    count = len(envelopes)
    encoding = UCS2_ENCODING if submission.is_unicode else AUTO_ENCODING
    columns = {
        "senders": [json.dumps(submission.line_number)] * count,
        "recipients": [f'"{envelope.recipient}"' for envelope in envelopes],
        "messages": _texts(submission),
        "encodings": [str(encoding)] * count,
        "uids": [str(envelope.message_id) for envelope in envelopes],
    }
    body = "{" + ",".join(f'"{name}":[{",".join(items)}]' for name, items in columns.items()) + "}"
    return body.encode(errors="replace")  # a lone half of a surrogate pair has no UTF-8


def _texts(submission: Submission) -> list[str]:
    own = [json.dumps(envelope.body, ensure_ascii=False) for envelope in submission.envelopes if envelope.body]
    return own or [json.dumps(submission.body, ensure_ascii=False)] * len(submission.envelopes)


def _raise_refusal(reply: HttpReply) -> None:
    """Raise what the whole request was told, if it is a word that proves nothing of it was taken."""
    if reply.status in codes.HTTP_NOT_KNOWN_THERE:
        raise BadCredentials(NOT_KNOWN_THERE, code=str(reply.status))
    if reply.status == codes.HTTP_BUSY:
        raise Refused(BUSY, code=str(reply.status), retry_after_seconds=codes.BUSY_SECONDS)
    answer = whole_of(reply) if reply.status == HTTP_OK else None
    status = answer.get("status") if answer is not None and not answer.get("messages") else None
    if type(status) is int and status > codes.OK:
        raise _refusal(status)


def _refusal(status: int) -> Refused:
    code = str(status)
    if status in codes.OUT_OF_CREDIT:
        return OutOfCredit(OUT_OF_CREDIT, code=code)
    if status in codes.NOT_KNOWN_THERE:
        return BadCredentials(NOT_KNOWN_THERE, code=code)
    if status in codes.BUSY:
        return Refused(BUSY, code=code, retry_after_seconds=codes.BUSY_SECONDS)
    return Refused(REFUSED, code=code)


def _refuse_alike(answers: Sequence[Answer]) -> None:
    """Every recipient told that our account is empty means an empty account, not a hundred bad recipients."""
    told = {answer.code for answer in answers}
    if len(told) == 1 and (status := int(told.pop())) in codes.OUT_OF_CREDIT | codes.BUSY:
        raise _refusal(status)


def _report(row: Row) -> Report | None:
    ref, status = row.get("mid"), row.get("status")
    if type(ref) is not int or type(status) is not int:
        return None
    return Report(
        operator_ref=str(ref),
        code=str(status),
        outcome=codes.REPORTS.get(status),
        reported_at=_moment(str(row.get("date"))),
        is_known=status in codes.REPORTS,
    )


@lru_cache(maxsize=1024)  # the reports of one ask share a few seconds
def _moment(text: str) -> datetime | None:
    """A date as Magfa writes it, in Tehran's time; None when there is none or it cannot be read."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.year < _FIRST_YEAR:  # a Jalali year, say
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=_TEHRAN)
