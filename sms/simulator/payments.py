"""A simulated payment gateway: Zarinpal's REST v4, with a page on which the payer says what is to happen.

Payments live in memory, for nothing of them is real. Knobs make it silent, lose answers or refuse.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode

from sms.simulator.http import HANG_UP, SILENCE, Reply, Request

PATH = "pg"
_MERCHANT_LENGTH = 36
_LEAST_RIAL = 1000
_RIAL_PER_TOMAN = 10
_MANNERS = ("answer", "silent", "lost", "garbage", "refuse")
_BUTTONS = {
    "pay": ("پرداخت", "Pay"),
    "cancel": ("انصراف", "Cancel"),
    "lose": ("پرداخت، بدون بازگشت به فروشگاه", "Pay, and lose the way back"),
    "twice": ("پرداخت، و دو بار بازگشت", "Pay, and come back twice"),
}


class UnusableControl(ValueError):
    """There is no such knob, or it cannot take this value."""


@dataclass(slots=True)
class Payment:
    """One payment that was asked for."""

    amount_rial: int
    description: str
    callback_url: str
    merchant_id: str
    state: str = "IN_BANK"
    reference: int = 0
    verify_count: int = 0


@dataclass(slots=True)
class Payments:
    """All of them, and the knobs: how `request`, `verify` and `inquiry` are answered. `lost` carries out what was asked
    and breaks off, `silent` never answers."""

    payments: dict[str, Payment] = field(default_factory=dict)
    manners: dict[str, str] = field(default_factory=lambda: dict.fromkeys(("request", "verify", "inquiry"), "answer"))
    next_reference: int = 1000

    def turn(self, wanted: Mapping[str, object]) -> dict[str, object]:
        """Turn knobs; `reset` forgets everything. Returns all knobs."""
        if wanted.get("reset"):
            self.payments.clear()
            self.manners = dict.fromkeys(self.manners, "answer")
        for name, value in wanted.items():
            if name != "reset":
                if name not in self.manners or value not in _MANNERS:
                    raise UnusableControl(f"{', '.join(self.manners)} can be one of {', '.join(_MANNERS)}")
                self.manners[name] = str(value)
        return dict(self.manners)

    def truth(self) -> dict[str, object]:
        """Every payment by its authority."""
        return {
            authority: {
                "amount_rial": each.amount_rial,
                "state": each.state,
                "reference": each.reference,
                "verify_count": each.verify_count,
            }
            for authority, each in self.payments.items()
        }

    def answer(self, request: Request, words: list[str]) -> Reply:
        """Answer whatever stands behind /pg/."""
        if words[:2] == ["v4", "payment"] and request.method == "POST":
            return self._api(request, words[2].removesuffix(".json") if len(words) == 3 else "")  # noqa: PLR2004
        if words[:1] == ["StartPay"] and len(words) == 2 and words[1] in self.payments:  # noqa: PLR2004
            payment = self.payments[words[1]]
            if request.method == "POST":
                return self._pressed(words[1], payment, parse_qs(request.body.decode()).get("action", [""])[0])
            return _page(_form(payment))
        return _error(-54, "Invalid authority.", status=404)

    def _api(self, request: Request, what: str) -> Reply:
        manner = self.manners.get(what, "")
        if not manner:
            return _error(-9, "There is no such method.", status=404)
        if manner == "silent":
            return SILENCE
        if manner == "refuse":
            return _error(-11, "Terminal is not active.")
        try:
            asked = json.loads(request.body)
            reply = {"request": self._request, "verify": self._verify, "inquiry": self._inquiry}[what](asked)
        except (ValueError, KeyError, TypeError):
            return _error(-9, "The input params invalid, validation error.", status=422)
        if manner == "lost":
            return HANG_UP
        return Reply(b"<html>502 Bad Gateway") if manner == "garbage" else reply

    def _request(self, asked: dict[str, Any]) -> Reply:
        currency = asked.get("currency", "IRT")
        amount_rial = int(asked["amount"]) * (1 if currency == "IRR" else _RIAL_PER_TOMAN)
        is_fine = len(asked["merchant_id"]) == _MERCHANT_LENGTH and amount_rial >= _LEAST_RIAL and asked["description"]
        if not is_fine or currency not in {"IRR", "IRT"}:
            raise ValueError(currency)
        authority = f"S{secrets.token_hex(17)}0"
        self.payments[authority] = Payment(
            amount_rial, str(asked["description"]), str(asked["callback_url"]), asked["merchant_id"]
        )
        return _data({"code": 100, "message": "Success", "authority": authority, "fee_type": "Merchant", "fee": 0})

    def _verify(self, asked: dict[str, Any]) -> Reply:
        payment = self.payments.get(asked["authority"])
        if payment is None:
            return _error(-54, "Invalid authority.")
        if payment.merchant_id != asked["merchant_id"]:
            return _error(-53, "Session is not this merchant_id session.")
        if payment.amount_rial != int(asked["amount"]):
            return _error(-50, "Session is not valid, amounts values is not the same.")
        if payment.state not in {"PAID", "VERIFIED"}:
            return _error(-51, "Session is not valid, session is not active paid try.")
        payment.verify_count += 1
        code = 101 if payment.state == "VERIFIED" else 100
        payment.state = "VERIFIED"
        told = {"code": code, "message": "Verified" if code == 101 else "Paid", "ref_id": payment.reference}  # noqa: PLR2004
        return _data({**told, "card_pan": "502229******5995", "card_hash": "", "fee_type": "Merchant", "fee": 0})

    def _inquiry(self, asked: dict[str, Any]) -> Reply:
        payment = self.payments.get(asked["authority"])
        if payment is None:
            return _error(-54, "Invalid authority.")
        return _data({"code": 100, "message": "Success", "status": payment.state})

    def _pressed(self, authority: str, payment: Payment, action: str) -> Reply:
        is_paid = action != "cancel"
        if action not in _BUTTONS:
            return _page(_form(payment), status=400)
        if payment.state in {"IN_BANK", "FAILED"}:
            payment.state = "PAID" if is_paid else "FAILED"
            if is_paid:
                self.next_reference += 1
                payment.reference = self.next_reference
        joint = "&" if "?" in payment.callback_url else "?"
        status = "OK" if is_paid else "NOK"
        back = payment.callback_url + joint + urlencode({"Authority": authority, "Status": status})
        if action == "lose":
            return _page("<p>پرداخت انجام شد، ولی به فروشگاه برنمی‌گردید.<br>Paid; you are not sent back.</p>")
        if action == "twice":
            links = "".join(f'<p><a href="{escape(back)}">بازگشت {n} · Back, {n}</a></p>' for n in (1, 2))
            return _page(f"<p>پرداخت انجام شد. · Paid.</p>{links}")
        return Reply(status=303, location=back)


def _form(payment: Payment) -> str:
    buttons = "".join(
        f'<p><button name="action" value="{name}">{fa} · {en}</button></p>' for name, (fa, en) in _BUTTONS.items()
    )
    return (
        f"<p>{escape(payment.description)}</p><p><b>{payment.amount_rial:,}</b> ریال · rial</p>"
        f'<form method="post">{buttons}</form>'
    )


def _page(body: str, *, status: int = 200) -> Reply:
    html = (
        '<!DOCTYPE html><html lang="fa" dir="rtl"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        "<title>درگاه شبیه‌سازی‌شده</title>"
        "<style>body{font:16px sans-serif;max-width:24rem;margin:3rem auto;padding:1rem;text-align:center}"
        "button{width:100%;padding:.7rem;font:inherit}</style></head>"
        f"<body><h1>درگاه شبیه‌سازی‌شده</h1><p>Simulated payment page: no real money</p>{body}</body></html>"
    )
    return Reply(html.encode(), status=status, content_type="text/html; charset=utf-8")


def _data(data: Mapping[str, object]) -> Reply:
    return Reply(json.dumps({"data": data, "errors": []}).encode())


def _error(code: int, message: str, *, status: int = 200) -> Reply:
    return Reply(
        json.dumps({"data": [], "errors": {"code": code, "message": message, "validations": []}}).encode(),
        status=status,
    )
