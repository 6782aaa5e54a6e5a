"""A person with a browser without scripts: follows links, fills in the forms that are there, presses their buttons."""

from typing import Any
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sms.accounts.rules import SAMPLE_PASSWORD


class Walker:
    """Stands on one page at a time; a page that fails ends the walk."""

    def __init__(self, browser: FlaskClient, *, language: str = "en") -> None:
        self.browser = browser
        self.browser.set_cookie("language", language)
        self.answer: TestResponse
        self.page = BeautifulSoup("", "html.parser")
        self.address = ""

    def go(self, address: str) -> "Walker":
        """Open an address and follow where it leads."""
        return self._arrive(self.browser.get(address), address, allowed={200})

    def _arrive(self, answer: TestResponse, address: str, *, allowed: set[int]) -> "Walker":
        while answer.status_code == 303:
            parts = urlsplit(answer.headers["Location"])
            address = f"{parts.path}?{parts.query}" if parts.query else parts.path
            answer = self.browser.get(address)
        assert answer.status_code in allowed, f"{address}: {answer.status}\n{answer.get_data(as_text=True)[:3000]}"
        self.answer, self.address = answer, address
        self.page = BeautifulSoup(answer.get_data(as_text=True), "html.parser")
        return self

    def submit(self, action: str, *, allowed: int = 200, **fields: Any) -> "Walker":
        """Fill in the form that posts to an address ending so, beside what stands in it already, and send it."""
        form = self._form(action)
        data: dict[str, Any] = {
            str(field["name"]): str(field.get("value", ""))
            for field in form("input")
            if field.get("name") and field.get("type") not in {"file", "submit", "checkbox", "radio"}
        }
        data |= {str(area["name"]): area.get_text() for area in form("textarea")}
        for choice in form("select"):
            chosen = choice.find("option", selected=True) or choice.find("option")
            data[str(choice["name"])] = str(chosen["value"]) if isinstance(chosen, Tag) else ""
        unknown = set(fields) - {str(tag["name"]) for tag in form(["input", "textarea", "select"]) if tag.get("name")}
        assert not unknown, f"the form to {action} has no {unknown}"
        target = str(form["action"])
        return self._arrive(self.browser.post(target, data=data | fields), target, allowed={allowed})

    def _form(self, action: str) -> Tag:
        forms = [form for form in self.page("form", method="post") if str(form["action"]).endswith(action)]
        assert forms, f"no form to {action} on {self.address}: {[form['action'] for form in self.page('form')]}"
        return forms[0]

    @property
    def text(self) -> str:
        """What the page says."""
        return " ".join(self.page.get_text(" ").split())

    def sign_in(self, username: str, password: str = SAMPLE_PASSWORD) -> "Walker":
        """As somebody of the sample data."""
        return self.go("/sign-in").submit("/sign-in", username=username, password=password)
