"""Customers who send through the pages of a panel that is being killed: they try again until it is done, once."""

import http.client
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.cookies import SimpleCookie
from random import Random
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.faults.model import TEXTS, Sent, recipients
from tests.faults.stage import Stage
from tests.journeys.walker import Walker

_PAUSE_SECONDS = 0.5
_PATIENCE_SECONDS = 180
TROUBLE = (OSError, http.client.HTTPException, AssertionError)


@dataclass(frozen=True)
class Page:
    """An answer, as the walker wants it."""

    status_code: int
    headers: Message
    body: bytes

    @property
    def status(self) -> str:
        return str(self.status_code)

    def get_data(self, *, as_text: bool) -> str:
        assert as_text
        return self.body.decode()


class Browser:
    """Asks over the wire and keeps its cookies."""

    def __init__(self, address: str) -> None:
        self._host = urlsplit(address).netloc
        self._cookies: dict[str, str] = {}

    def set_cookie(self, name: str, value: str) -> None:
        self._cookies[name] = value

    def get(self, path: str) -> Page:
        return self._ask("GET", path, None)

    def post(self, path: str, *, data: Mapping[str, Any]) -> Page:
        return self._ask("POST", path, urlencode(data))

    def _ask(self, method: str, path: str, body: str | None) -> Page:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(self._host, timeout=20)
        try:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            page = Page(reply.status, reply.headers, reply.read())
        finally:
            connection.close()
        for line in page.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self._cookies[name] = morsel.value
        return page


class Customer:
    """Somebody of the sample data at the pages of the panel."""

    def __init__(self, stage: Stage, username: str) -> None:
        self.username = username
        self._stage = stage
        self._walker: Walker | None = None

    @property
    def walker(self) -> Walker:
        """The signed-in walker."""
        if self._walker is None:
            self._walker = Walker(Browser(self._stage.panel.url)).sign_in(self.username)  # type: ignore[arg-type]
        return self._walker

    def compose(self, *, line_id: int, text: str, numbers: Sequence[int]) -> int:
        """Write a draft and wait until its list is read; returns its id."""
        listed = "\n".join(f"0{number - 98 * 10**10}" for number in numbers)
        page = self.walker.go("/compose").submit("/compose", body=text, line_id=str(line_id), recipients=listed)
        draft_id = int(re.findall(r"/drafts/(\d+)", page.address)[0])
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while "/confirm" not in self.walker.go(f"/drafts/{draft_id}").answer.get_data(as_text=True):
            assert time.monotonic() < deadline, "the list was never read"
            time.sleep(_PAUSE_SECONDS)
        return draft_id

    def confirm(self, draft_id: int) -> None:
        """Press the button; the page of a draft that was sent leads to its campaign."""
        page = self.walker.go(f"/drafts/{draft_id}")
        if "/campaigns/" not in page.address:
            page.submit("/confirm")

    def send(self, *, line_id: int, text: str, numbers: Sequence[int]) -> int:
        """From the empty page to the campaign, however often the panel dies meanwhile; returns the campaign's id."""
        return self.press(self.draft(line_id=line_id, text=text, numbers=numbers))

    def draft(self, *, line_id: int, text: str, numbers: Sequence[int]) -> int:
        """Compose, again and again until it is done; returns the draft's id.

        One of which it is not known whether it was made is left lying: drafts send nothing by themselves.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return self.compose(line_id=line_id, text=text, numbers=numbers)
            except TROUBLE:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def press(self, draft_id: int) -> int:
        """Confirm, again and again until the campaign is there; returns its id."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self.confirm(draft_id)
            except TROUBLE:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)
            if (made := self.campaign_of(draft_id)) is not None:
                return made

    def campaign_of(self, draft_id: int) -> int | None:
        """The campaign that was made of a draft."""
        found = self._stage.ask("SELECT id FROM outbox_campaign WHERE key = %(key)s", key=f"draft:{draft_id}")
        return None if found is None else int(found)


@dataclass(eq=False)
class Crowd(threading.Thread):
    """Sends campaigns evenly over a stretch of time, over all operators, from two accounts."""

    stage: Stage
    total: int
    campaigns: int
    seconds: float
    seed: int
    sent: list[Sent] = field(default_factory=list)
    error: BaseException | None = None

    def __post_init__(self) -> None:
        super().__init__(name="crowd", daemon=True)

    def run(self) -> None:
        try:
            self._send_all()
        except BaseException as error:  # told by whoever waits for this thread
            self.error = error

    def _send_all(self) -> None:
        random = Random(f"crowd {self.seed}")
        customers = [Customer(self.stage, name) for name in ("customer", "reseller")]
        lines = {code: self.stage.line(code) for code in self.stage.codes}
        began, first = time.monotonic(), 0
        for place in range(self.campaigns):
            count = (place + 1) * self.total // self.campaigns - first
            time.sleep(max(0.0, began + self.seconds * place / self.campaigns - time.monotonic()))
            code = self.stage.codes[place % len(self.stage.codes)]
            customer, text = random.choice(customers), random.choice(TEXTS)
            campaign_id = customer.send(line_id=lines[code], text=text, numbers=list(recipients(first, count)))
            self.sent.append(Sent(campaign_id, customer.username, code, text, first, count))
            first += count
