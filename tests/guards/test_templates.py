"""Every template keeps the house's rules: it compiles, has a title, and leaves nothing for a strict CSP to refuse."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from jinja2 import Environment, nodes
from jinja2.runtime import Macro

from sms.core.web import filters, forms, htmx, i18n, nav, ui

ROOT = Path(__file__).parent.parent.parent
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"
EVERY = sorted(str(file.relative_to(TEMPLATES)) for file in TEMPLATES.rglob("*.html"))
PARTS = {
    part
    for name in EVERY
    for part in re.findall(
        r"\{%-? (?:include|from|import) \"([^\"]+)\"", (TEMPLATES / name).read_text(encoding="utf-8")
    )
}
PAGES = [name for name in EVERY if "/" in name and not name.startswith("_ui/") and name not in PARTS]
FORBIDDEN = {
    "a style element": r"<style\b",
    "an inline script": r"<script(?![^>]*\bsrc=)",
    "a style attribute": r"\sstyle\s*=",
    "an event attribute": r"<[a-z][^>]*\son[a-z]+\s*=",
    "an htmx event attribute": r"\shx-on\b",
    "a script address": r"javascript:",
    "script for htmx to evaluate": r"\shx-(?:vals|headers)\s*=\s*[\"'](?:js|javascript):",
    "text that is not escaped": r"\|\s*safe\b|autoescape\s+false",
    "an address of another host": r"(?:src|href|action|srcset|hx-[a-z]+)\s*=\s*[\"'](?:https?:)?//",
}
POSTED = re.compile(r"<form\b[^>]*\bmethod=\"post\".*?</form>", re.DOTALL | re.IGNORECASE)
SYMBOL = re.compile(r'<symbol id="([a-z0-9-]+)"')


@pytest.fixture(scope="module")
def environment() -> Environment:
    """The environment pages are rendered in, without the rest of the panel."""
    app = Flask("look", root_path=str(ROOT))
    for part in (i18n, filters, ui, htmx, forms, nav):
        part.init_app(app)
    return app.jinja_env


@pytest.fixture(scope="module")
def macros(environment: Environment) -> dict[str, Macro]:
    """Every macro of the look by its name."""
    return {
        name: macro
        for file in TEMPLATES.glob("_ui/*.html")
        for name, macro in vars(environment.get_template(f"_ui/{file.name}").module).items()
        if isinstance(macro, Macro)
    }


def read(name: str) -> str:
    """The source of a template, its comments left out."""
    return re.sub(r"\{#.*?#\}", "", (TEMPLATES / name).read_text(encoding="utf-8"), flags=re.DOTALL)


def calls(environment: Environment, name: str) -> Iterator[tuple[str, nodes.Call]]:
    """Every `ui.name(…)` of a template."""
    for call in environment.parse(read(name)).find_all(nodes.Call):
        target = call.node
        if isinstance(target, nodes.Getattr) and isinstance(target.node, nodes.Name) and target.node.name == "ui":
            yield target.attr, call


@pytest.mark.parametrize("name", EVERY)
def test_every_template_compiles(name: str, environment: Environment) -> None:
    assert environment.get_template(name)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_stands_on_a_base_and_has_a_title(name: str) -> None:
    source = read(name)
    assert re.match(r"\s*\{% extends \"base(_plain|_bare)?\.html\" %\}", source)
    title = re.search(r"\{% block title %\}(.*?)\{% endblock", source, re.DOTALL)
    assert title
    assert title[1].strip()


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_left_for_the_browser_to_refuse(name: str) -> None:
    source = read(name)
    assert [what for what, pattern in FORBIDDEN.items() if re.search(pattern, source, re.IGNORECASE)] == []


@pytest.mark.parametrize("name", EVERY)
def test_every_form_that_is_posted_carries_the_token(name: str) -> None:
    assert [form for form in POSTED.findall(read(name)) if "token" not in form] == []


@pytest.mark.parametrize("name", EVERY)
def test_every_macro_is_called_as_it_is_written(name: str, environment: Environment, macros: dict[str, Macro]) -> None:
    wrong = []
    for called, call in calls(environment, name):
        macro = macros.get(called)
        if macro is None:
            wrong.append(f"ui.{called} does not exist")
        elif len(call.args) > len(macro.arguments) or {keyword.key for keyword in call.kwargs} - {*macro.arguments}:
            wrong.append(f"ui.{called} takes {macro.arguments}")
    assert wrong == []


def test_every_icon_is_in_the_sprite(environment: Environment, macros: dict[str, Macro]) -> None:
    used = {icon for _tone, icon in environment.get_template("_ui/badge.html").module.LOOKS.values()}
    for name in EVERY:
        for called, call in calls(environment, name):
            named = "name" if called == "icon" else "icon"
            given = dict(zip(macros[called].arguments, call.args, strict=False))
            given |= {keyword.key: keyword.value for keyword in call.kwargs}
            used |= {text for text in _texts(given.get(named)) if text}
    for file in ROOT.glob("sms/**/*.py"):
        used |= set(re.findall(r'\bicon="([a-z0-9-]+)"', file.read_text(encoding="utf-8")))
    assert used - set(SYMBOL.findall((STATIC / "icons.svg").read_text())) == set()


def _texts(node: nodes.Node | None) -> Iterator[str]:
    """The texts an expression can come to; a condition's own texts are none of them."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, nodes.CondExpr):
        yield from _texts(node.expr1)
        yield from _texts(node.expr2)
    elif isinstance(node, nodes.Or):
        yield from _texts(node.left)
        yield from _texts(node.right)


def test_the_sprite_is_in_order_and_names_each_icon_once() -> None:
    names = SYMBOL.findall((STATIC / "icons.svg").read_text())
    assert names == sorted(set(names))


def test_every_static_file_a_page_names_exists() -> None:
    named = {
        filename for name in EVERY for filename in re.findall(r"filename=['\"]([^'\"]+)['\"]", read(name)) if filename
    }
    assert named
    assert sorted(filename for filename in named if not (STATIC / filename).is_file()) == []


@pytest.mark.parametrize("file", sorted(STATIC.rglob("*.css")), ids=lambda file: file.name)
def test_a_style_sheet_asks_only_for_what_stands_beside_it(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    asked = re.findall(r"url\(\s*[\"']?([^\"')\s]+)", source)
    files = [address for address in asked if not address.startswith("data:")]
    assert [address for address in files if not (file.parent / address).is_file()] == []
    assert "@import" not in source
    assert "sourceMappingURL" not in source


@pytest.mark.parametrize("file", sorted(STATIC.rglob("*.js")), ids=lambda file: file.name)
def test_a_script_names_no_other_host(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\s\"'`)]+", source) == []
    assert "sourceMappingURL" not in source


def test_our_own_script_evaluates_nothing() -> None:
    source = (STATIC / "js" / "app.js").read_text(encoding="utf-8")
    assert re.findall(r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write", source) == []


def test_every_file_of_others_is_named_with_its_licence() -> None:
    told = (STATIC / "LICENSES.md").read_text(encoding="utf-8")
    files = {str(file.relative_to(STATIC)) for file in STATIC.rglob("*") if file.is_file()} - {"LICENSES.md"}
    assert sorted(file for file in files if file not in told) == []
