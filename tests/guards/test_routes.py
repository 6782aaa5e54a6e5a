"""Every address has a guard that is meant, and none appears or goes away unseen.

`python -m tests.guards.test_routes` writes urls.txt anew; a line that went away wants a redirect.
"""

import re
from pathlib import Path

from flask import Flask

from app import create_app
from sms.accounts.rules import Permission
from sms.core.config import Settings, use
from sms.core.web.guards import PUBLIC, SIGNED_IN
from tests.guards import source
from tests.guards.world import guard, routes

LIST = Path(__file__).with_name("urls.txt")
OPEN = {
    "accounts.sign_in",
    "accounts.sign_up",
    "accounts.sign_out",
    "accounts.switch_language",
    "brand.logo",
    "brand.proof",
    "brand.style",
    "dashboard.health",
    "links.follow",  # whoever got a text
    "outbox_webhooks.reports",  # its address holds a secret
    "inbox_webhooks.texts",  # the same
    "topups.returned",  # so does this one
}


def _listed(app: Flask) -> list[str]:
    return [
        f"{'|'.join(sorted((rule.methods or set()) - {'HEAD', 'OPTIONS'}))} {rule.rule} {rule.endpoint}"
        f" ({guard(app, rule.endpoint)})"
        for rule in routes(app)
    ]


def test_every_endpoint_has_a_guard(app: Flask) -> None:
    assert [rule.endpoint for rule in routes(app) if guard(app, rule.endpoint) is None] == []


def test_only_these_are_open_to_the_world(app: Flask) -> None:
    assert {rule.endpoint for rule in routes(app) if guard(app, rule.endpoint) == PUBLIC} == OPEN


def test_every_demanded_permission_exists(app: Flask) -> None:
    demanded = {guard(app, rule.endpoint) for rule in routes(app)} - {PUBLIC, SIGNED_IN, None}
    assert demanded <= set(map(str, Permission))


def test_every_permission_asked_for_in_code_or_page_exists() -> None:
    asked = re.compile(r"""(?:\bmay\(|permission=|@require\()\s*["']([^"']+)["']""")
    files = [*source.modules("sms"), *sorted((source.ROOT / "templates").rglob("*.html"))]
    found = {name for path in files for name in asked.findall(path.read_text(encoding="utf-8"))}
    assert found
    assert found <= set(map(str, Permission))


def test_every_variable_of_an_address_has_a_converter(app: Flask) -> None:
    bare = re.compile(r"<[^:>]+>")
    assert [rule.rule for rule in routes(app) if bare.search(rule.rule)] == []


def test_the_addresses_are_those_of_the_list(app: Flask) -> None:
    assert _listed(app) == LIST.read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    use(Settings(mode="test", database_url="postgresql://x/x", redis_url="redis://x", secret_key="x",
                 seal_key="y", var_dir=Path("/nonexistent")))  # fmt: skip
    LIST.write_text("".join(f"{line}\n" for line in _listed(create_app())), encoding="utf-8")
