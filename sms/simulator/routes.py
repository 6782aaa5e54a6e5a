"""Which address leads where: the operators by their prefix, the truth, the controls."""

import json
import time
from collections.abc import Callable, Mapping
from itertools import islice

from sms.simulator import controls, kavenegar, magfa, page
from sms.simulator.characters import Speech
from sms.simulator.desk import Desk
from sms.simulator.http import Reply, Request
from sms.simulator.payments import PATH as PAYMENTS_PATH
from sms.simulator.payments import Payments
from sms.simulator.smpp.exchange import Exchange
from sms.simulator.texts import phone

_PAGE = 1000
_RECEIVED_AT_MOST = 100_000


class Simulator:
    """All desks behind one door, and the message centres beside it.

    `on_change` is told the code of an operator whose knobs were turned.
    """

    def __init__(
        self,
        desks: dict[str, Desk],
        *,
        exchanges: Mapping[str, Exchange] | None = None,
        on_change: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.desks = desks
        self.payments = Payments()
        self._exchanges = exchanges or {}
        self._on_change = on_change

    def handle(self, request: Request) -> Reply:
        """Answer any request."""
        first, *rest = request.path.strip("/").split("/")
        speech = self.desks[first].character.speech if first in self.desks else None
        if speech is Speech.MAGFA and rest[: len(magfa.PATH)] == magfa.PATH:
            return magfa.answer(self.desks[first], request, rest[len(magfa.PATH) :])
        if speech is Speech.KAVENEGAR and rest[:1] == ["v1"]:
            return kavenegar.answer(self.desks[first], request, rest)
        return self.payments.answer(request, rest) if first == PAYMENTS_PATH else self._aside(request, first, rest)

    def _aside(self, request: Request, first: str, rest: list[str]) -> Reply:
        """What no operator has: the knobs and the truth."""
        try:
            return self._own(request, first, rest)
        except (ValueError, KeyError) as error:
            return _answer({"error": str(error)}, status=400)

    def _own(self, request: Request, first: str, rest: list[str]) -> Reply:
        """What is no operator's: the controls, the page, the truth."""
        if first == "control":
            return self._control(request, rest)
        if first == "reply" and not rest:
            return self._reply(request)
        if first == "truth" and request.method == "GET":
            return self._truth(request.query, "/".join(rest))
        return _answer(
            {"operators": sorted(self.desks), "also": ["truth/summary", "control", "reply"]},
            status=404 if first else 200,
        )

    # controls

    def _control(self, request: Request, words: list[str]) -> Reply:
        if not words:
            return _answer({code: self._shown(code) for code in self.desks})
        if words == ["payments"]:
            return _answer(self.payments.turn(json.loads(request.body or b"{}")))
        code, desk = words[0], self._desk(words[0])
        if request.method == "POST":
            wanted = json.loads(request.body or b"{}")
            if not isinstance(wanted, dict):
                raise controls.UnusableControl("controls are given as one JSON object")
            if words[1:] == ["inbound"]:
                self._receive_all(code, wanted)
            else:
                _turn(desk, wanted)
                if wanted.get("reset") and code in self._exchanges:
                    self._exchanges[code].start_over()
                self._on_change(code)
        return _answer(self._shown(code))

    def _shown(self, code: str) -> dict[str, object]:
        exchange = self._exchanges.get(code)
        return {**self.desks[code].shown(), **(exchange.shown() if exchange else {})}

    def _reply(self, request: Request) -> Reply:
        """The page on which people write to a line."""
        codes = sorted(self.desks)
        if request.method != "POST":
            return page.page(codes, request.query)
        form = page.read(request.body)
        try:
            self._desk(form["operator"])
            self._receive_all(form["operator"], page.wanted(form))
        except (ValueError, KeyError) as error:
            return page.page(codes, form, said=f"Not sent: {error}", status=400)
        return page.page(codes, form, said="Sent · فرستاده شد")

    def _receive_all(self, code: str, wanted: dict[str, object]) -> None:
        """Texts from `count` people, whose numbers follow on `from`, each brought `times` times."""
        sender, count, times = str(wanted["from"]), wanted.get("count", 1), wanted.get("times", 1)
        if (
            type(count) is not int
            or type(times) is not int
            or not (0 < count <= _RECEIVED_AT_MOST and 0 < times <= _PAGE)
        ):
            raise controls.UnusableControl(f"count is 1 to {_RECEIVED_AT_MOST}, times 1 to {_PAGE}")
        first = phone(sender)
        for number in range(count):
            each = sender if first is None or count == 1 else str(first + number)
            body = str(wanted["body"]).replace("{n}", str(number + 1)) if count > 1 else str(wanted["body"])
            self._receive(code, each, str(wanted["to"]), body, times=times)

    def _receive(self, code: str, sender: str, line: str, body: str, *, times: int) -> None:
        """A text from a person to a line of this operator; brought again it is the same to the last byte."""
        desk = self.desks[code]
        times += desk.is_happening(desk.controls.twice_inbound_share)
        match desk.character.speech:
            case Speech.MAGFA:
                desk.inbox.extend([magfa.inbound(sender, line, body)] * times)
            case Speech.KAVENEGAR:
                desk.inbox.extend([kavenegar.inbound(desk, sender, line, body)] * times)
            case Speech.SMPP:
                self._exchanges[code].inbound(sender=sender, line=line, body=body, times=times)

    def _desk(self, code: str) -> Desk:
        if code not in self.desks:
            raise controls.UnusableControl(f"there is no operator {code}; there are {', '.join(self.desks)}")
        return self.desks[code]

    # truth

    def _truth(self, query: dict[str, str], page: str) -> Reply:
        pages = {
            "": self._messages,
            "summary": self._summary,
            "duplicates": self._duplicates,
            "recipients": self._recipients,
            "payments": self._payments,
            "texts": self._texts,
        }
        return pages[page](query) if page in pages else _answer({"pages": sorted(pages)}, status=404)

    def _asked(self, query: dict[str, str]) -> dict[str, Desk]:
        return {code: self._desk(code) for code in ([query["operator"]] if "operator" in query else self.desks)}

    def _summary(self, query: dict[str, str]) -> Reply:
        return _answer(
            {
                code: {**desk.truth.summary(), "requests": dict(desk.requests)}
                for code, desk in self._asked(query).items()
            }
        )

    def _duplicates(self, query: dict[str, str]) -> Reply:
        return _answer({code: _by_text(desk.truth.duplicates()) for code, desk in self._asked(query).items()})

    def _recipients(self, query: dict[str, str]) -> Reply:
        since = float(query.get("since", 0))
        return _answer(
            {code: _by_text(desk.truth.repeated_recipients(since=since)) for code, desk in self._asked(query).items()}
        )

    def _payments(self, _query: dict[str, str]) -> Reply:
        return _answer(self.payments.truth())

    def _texts(self, query: dict[str, str]) -> Reply:
        """The latest texts that were taken, a part of a long one by itself where parts come one by one."""
        return _answer(
            {
                code: [{"recipient": recipient, "text": text} for recipient, text in desk.texts]
                for code, desk in self._asked(query).items()
            }
        )

    def _messages(self, query: dict[str, str]) -> Reply:
        narrowed = {name: int(query[name]) for name in ("uid", "recipient") if name in query}
        since, limit = float(query.get("since", 0)), int(query.get("limit", _PAGE))
        now = time.time()
        return _answer(
            {
                code: [
                    {**row._asdict(), "ready_at": row.ready_at if row.ready_at <= now else None}
                    for row in islice(desk.truth.rows(**narrowed, since=since), limit)
                ]
                for code, desk in self._asked(query).items()
            }
        )


def _turn(desk: Desk, wanted: dict[str, object]) -> None:
    """Turn the knobs; `reset` comes first, `credit_mrial` is the one that is a stock and not a knob."""
    stock = {name: wanted[name] for name in ("reset", "credit_mrial") if name in wanted}
    knobs = {name: value for name, value in wanted.items() if name not in stock}
    if "credit_mrial" in stock and desk.character.speech is Speech.SMPP:
        raise controls.UnusableControl("credit_mrial is nothing a message centre knows of")
    credit_mrial = stock.get("credit_mrial", 0)
    if type(credit_mrial) is not int or credit_mrial < 0:
        raise controls.UnusableControl("credit_mrial must be a whole number of milli-rial")
    turned = controls.changed(controls.untouched(desk.character) if stock.get("reset") else desk.controls, knobs)
    if stock.get("reset"):
        desk.reset()
    if "credit_mrial" in stock:
        desk.credit_mrial = credit_mrial
    desk.controls = turned


def _by_text(counts: dict[int, int]) -> dict[str, int]:
    return {str(key): times for key, times in counts.items()}


def _answer(answer: Mapping[str, object], *, status: int = 200) -> Reply:
    return Reply(json.dumps(answer).encode() + b"\n", status=status)
