"""A whole panel that really runs, and a real Chromium before it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from deploy.throwaway import ThrowAwayPanel, throw_away_panel
from sms.accounts.rules import SAMPLE_PASSWORD

ARGUMENTS = [
    *("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="session")
def panel() -> Iterator[ThrowAwayPanel]:
    """Started once: simulator, timetable, workers and web, with sample data."""
    with throw_away_panel() as running:
        running.start("simulator", "tick", "worker", "web")
        with psycopg.connect(running.settings["DATABASE_URL"]) as owner:
            owner.execute("UPDATE operators_gateway SET lookup_after_seconds = 1, timeout_seconds = 1")
        yield running


@pytest.fixture(scope="module")  # while it runs, its event loop is in the way of whoever wants one
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield started
        started.close()


@dataclass
class Desk:
    """Opens windows; what any of their consoles complains about is kept."""

    panel: ThrowAwayPanel
    browser: Browser
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def open(self, *, size: dict[str, int] = DESKTOP, language: str = "fa", **options: object) -> Page:
        """A fresh window of a fresh browser profile."""
        context = self.browser.new_context(
            base_url=self.panel.url,
            viewport={"width": size["width"], "height": size["height"]},
            reduced_motion="reduce",
            **options,  # type: ignore[arg-type]
        )
        context.set_default_timeout(20_000)
        context.add_cookies([{"name": "language", "value": language, "url": self.panel.url}])
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.text} ({message.location.get('url', '')}){self._told_by(message.text)}")

    def _told_by(self, complaint: str) -> str:
        """What the web server has written, where the complaint is about a failure of its own."""
        if "status of 5" not in complaint:
            return ""
        return "".join(f"\n{log.read_text()[-3000:]}" for log in (self.panel.folder / "log").rglob("web*.log"))

    def sign_in(
        self, username: str, *, size: dict[str, int] = DESKTOP, language: str = "fa", **options: object
    ) -> Page:
        """A window in which somebody of the sample data is signed in."""
        page = self.open(size=size, language=language, **options)
        page.goto("/sign-in")
        page.fill("[name=username]", username)
        page.fill("[name=password]", SAMPLE_PASSWORD)
        page.click("main button[type=submit]")
        page.wait_for_url(f"{self.panel.url}/")
        return page


@pytest.fixture
def desk(panel: ThrowAwayPanel, browser: Browser) -> Iterator[Desk]:
    opened = Desk(panel, browser)
    yield opened
    for context in opened.contexts:
        context.close()


@pytest.fixture(scope="session")
def sent(panel: ThrowAwayPanel) -> Callable[[], None]:
    """Makes sure that there is a send to look at."""

    def send() -> None:
        if _count(panel) == 0:
            panel.run("demo-campaign", "--recipients", "100", "--line", "20004505", "--timeout", "1")

    return send


def _count(panel: ThrowAwayPanel) -> int:
    with psycopg.connect(panel.settings["DATABASE_URL"]) as owner:
        found = owner.execute("SELECT count(*) FROM outbox_campaign").fetchone()
    return int(found[0]) if found else 0
