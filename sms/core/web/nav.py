"""The menu: each capability adds its own entries beside its views."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, request, url_for
from flask_login import current_user

from sms.core.text import N_
from sms.core.web.i18n import _

SECTIONS: dict[str, str] = {
    "customer": "",
    "reseller": N_("Resale"),
    "admin": N_("Administration"),
    "account": N_("My account"),
}


@dataclass(frozen=True, slots=True)
class Live:
    """A number beside a menu entry: how it is told now, empty for none, and the endpoint that tells it anew."""

    told: Callable[[], str]
    endpoint: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One menu entry; `permission` empty means everybody who is signed in."""

    label: str
    endpoint: str
    icon: str
    permission: str
    order: int
    live: Live | None = None


_entries: dict[str, dict[str, Entry]] = {section: {} for section in SECTIONS}


def add(
    label: str,
    *,
    endpoint: str,
    icon: str,
    section: str,
    permission: str = "",
    order: int = 50,
    live: Live | None = None,
) -> None:
    """Put an entry into a section of the menu; the same endpoint twice is one entry."""
    _entries[section][endpoint] = Entry(label, endpoint, icon, permission, order, live)


def init_app(app: Flask) -> None:
    """Give templates `navigation`."""
    app.jinja_env.globals["navigation"] = navigation


def navigation() -> list[dict[str, object]]:
    """The sections with the entries this visitor may use, in the reader's language."""
    if not current_user.is_authenticated:
        return []
    sections: list[dict[str, object]] = []
    for section, title in SECTIONS.items():
        entries = sorted(_entries[section].values(), key=lambda entry: entry.order)
        items = [_item(entry) for entry in entries if not entry.permission or current_user.may(entry.permission)]
        if items:
            sections.append({"title": _(title) if title else "", "items": items})
    return sections


def _item(entry: Entry) -> dict[str, object]:
    url = url_for(entry.endpoint)
    is_active = request.path == url or (url != "/" and request.path.startswith(f"{url}/"))
    return {
        "label": _(entry.label),
        "url": url,
        "icon": entry.icon,
        "is_active": is_active,
        "told": entry.live.told() if entry.live else "",
        "live_url": url_for(entry.live.endpoint) if entry.live else "",
    }
