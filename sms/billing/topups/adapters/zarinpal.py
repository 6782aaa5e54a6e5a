"""Zarinpal's REST v4. Every amount is told in rial (`currency` IRR), so nothing depends on a merchant's own unit.

A payment is taken by `verify` only: code 100 the first time, 101 ever after. Only the codes of `_REFUSALS` say that it
was not paid; a timeout, a code about ourselves or anything unreadable leaves it unknown.
"""

import json
from typing import Any, ClassVar

from sms.billing.topups.contract import Access, Begun, NotBegun, Standing
from sms.billing.topups.rules import Answer, Verdict
from sms.core.text import N_
from sms.operators.contract import Unanswered, Unreachable
from sms.operators.protocols.http import HttpClient

_LIVE = "https://payment.zarinpal.com"
_SANDBOX = "https://sandbox.zarinpal.com"
_PATH = "pg/v4/payment"
_PAID, _ALREADY = 100, 101
# another amount, not paid, not ours, no such authority, no such payment
_REFUSALS = frozenset({-50, -51, -53, -54, -55})
_STANDINGS = {
    "IN_BANK": Standing.OPEN,
    "PAID": Standing.PAID,
    "VERIFIED": Standing.VERIFIED,
    "FAILED": Standing.FAILED,
    "REVERSED": Standing.FAILED,
}
_AUTHORITY_LENGTH = 100


class Zarinpal:
    """One merchant."""

    code: ClassVar[str] = "zarinpal"
    label: ClassVar[str] = N_("Zarinpal")
    credential_fields: ClassVar[tuple[str, ...]] = ("merchant_id",)
    needs_address: ClassVar[bool] = False

    def __init__(self, access: Access) -> None:
        self._base_url = (access.base_url or (_SANDBOX if access.is_sandbox else _LIVE)).rstrip("/")
        self._merchant_id = access.credentials.get("merchant_id", "")
        self._client = HttpClient(base_url=self._base_url, headers={}, timeout_seconds=access.timeout_seconds)

    def request(self, *, amount_rial: int, description: str, callback_url: str) -> Begun:
        """`payment/request.json`."""
        told = self._ask(
            "request",
            {
                "amount": amount_rial,
                "currency": "IRR",
                "description": description,
                "callback_url": callback_url,
            },
        )
        authority = told.get("authority")
        if told.get("code") != _PAID or not isinstance(authority, str) or not 0 < len(authority) <= _AUTHORITY_LENGTH:
            raise NotBegun(
                N_("The payment gateway did not begin a payment (%(code)s); try again later."), code=_code(told)
            )
        return Begun(authority)

    def address(self, authority: str) -> str:
        """`StartPay`."""
        return f"{self._base_url}/pg/StartPay/{authority}"

    def verify(self, *, authority: str, amount_rial: int) -> Answer:
        """`payment/verify.json`."""
        told = self._ask("verify", {"amount": amount_rial, "authority": authority})
        code = told.get("code")
        if code in {_PAID, _ALREADY}:
            reference = told.get("ref_id")
            return Answer(
                Verdict.PAID if code == _PAID else Verdict.ALREADY,
                reference=str(reference) if isinstance(reference, int | str) else "",
                card=str(told.get("card_pan") or "")[:40],
                code=str(code),
            )
        return Answer(Verdict.REFUSED if code in _REFUSALS else Verdict.UNKNOWN, code=_code(told))

    def inquire(self, authority: str) -> Standing:
        """`payment/inquiry.json`."""
        told = self._ask("inquiry", {"authority": authority})
        if told.get("code") in _REFUSALS:
            return Standing.FAILED
        return _STANDINGS.get(str(told.get("status")), Standing.UNKNOWN)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def _ask(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """The data or the error of an answer, whatever its HTTP status; empty where there is none."""
        sent = json.dumps({"merchant_id": self._merchant_id, **body}, ensure_ascii=False).encode()
        try:
            reply = self._client.post_json(f"{_PATH}/{what}.json", sent)
            told = json.loads(reply.body)
        except (Unreachable, Unanswered, ValueError, RecursionError):
            return {}
        found = [told.get(name) for name in ("data", "errors")] if isinstance(told, dict) else []
        return next((each for each in found if isinstance(each, dict) and each), {})


def _code(told: dict[str, Any]) -> str:
    return str(told.get("code", ""))[:20] or "—"
