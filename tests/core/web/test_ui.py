"""What the macros write: values isolated and in the reader's digits, hostile text harmless, forms with their token."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask_login import LoginManager
from markupsafe import Markup
from sqlalchemy.exc import OperationalError
from wtforms import BooleanField, FileField, PasswordField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from sms.core.errors import Refusal
from sms.core.web import filters, forms, htmx, i18n, nav, ui
from sms.core.web.forms import DayField, Filled, Form, MoneyField, refuse
from sms.core.web.guards import Anonymous, login_manager
from sms.operators.rules import OUTCOME_LABELS
from sms.outbox.rules import CAMPAIGN_LABELS, PROGRESS_LABELS

ROOT = Path(__file__).parents[3]
HOSTILE = '"><img src=x onerror=alert(1)><b hx-get="/x">\u202e{{7*7}}'
AT = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)

Render = Callable[..., BeautifulSoup]


@pytest.fixture(params=["fa", "en"])
def language(request: pytest.FixtureRequest) -> str:
    """Both languages in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def look() -> Flask:
    """The look alone: nobody is signed in and there is no database."""
    app = Flask("look", root_path=str(ROOT))
    app.config["SECRET_KEY"] = "a secret that only tests know"
    for part in (i18n, filters, ui, htmx, forms, nav):
        part.init_app(app)
    login = LoginManager(app)
    login.anonymous_user = Anonymous
    login.user_loader(lambda _id: None)
    return app


@pytest.fixture
def render(look: Flask) -> Iterator[Render]:
    """Renders a piece of a template in a language; what it wrote, parsed."""

    def run(source: str, language: str = "fa", **context: object) -> BeautifulSoup:
        with look.test_request_context("/", headers={"Cookie": f"language={language}"}):
            made = {name: value() if callable(value) else value for name, value in context.items()}
            return BeautifulSoup(look.jinja_env.from_string(source).render(**made), "html.parser")

    return run


def one(page: BeautifulSoup | Tag, selector: str) -> Tag:
    """The one element a selector finds."""
    (found,) = page.select(selector)
    return found


# Values


@pytest.mark.parametrize(
    ("source", "persian", "english"),
    [
        ("ui.money(1390500)", "۱٬۳۹۰٫۵ ریال", "1,390.5 rial"),
        ("ui.money(-55000, signed=True)", "−۵۵ ریال", "−55 rial"),
        ("ui.money(55000, signed=True)", "+۵۵ ریال", "+55 rial"),
        ("ui.money(0, signed=True)", "۰ ریال", "0 rial"),
        ("ui.number(1234567)", "۱٬۲۳۴٬۵۶۷", "1,234,567"),
        ("ui.percent(0.5)", "۵۰٪", "50%"),
        ("ui.phone(989121234567)", "۰۹۱۲۱۲۳۴۵۶۷", "09121234567"),
        ("ui.line('30004512')", "۳۰۰۰۴۵۱۲", "30004512"),
        ("ui.moment(at)", "۱۴۰۵/۰۹/۰۳ ۱۹:۰۰:۰۰", "2026-11-24 19:00:00"),
        ("ui.day(day)", "۱۴۰۵/۰۹/۰۳", "2026-11-24"),
        ("ui.code('ab-12')", "ab-12", "ab-12"),
    ],
)
def test_a_value_is_isolated_and_in_the_readers_digits(render: Render, source: str, persian: str, english: str) -> None:
    for language, expected in (("fa", persian), ("en", english)):
        page = render(f"{{{{ {source} }}}}", language, at=AT, day=date(2026, 11, 24))
        assert page.get_text() == expected
        isolated = one(page, "[dir=ltr]")
        assert isolated.name in {"bdi", "time", "code"}


def test_money_given_and_taken_is_told_apart(render: Render) -> None:
    assert "is-plus" in one(render("{{ ui.money(5, signed=True) }}"), ".money")["class"]
    assert "is-minus" in one(render("{{ ui.money(-5, signed=True) }}"), ".money")["class"]
    assert one(render("{{ ui.money(-5) }}"), ".money")["class"] == ["money"]


@pytest.mark.parametrize("source", ["ui.moment(none)", "ui.day(none)"])
def test_what_has_not_happened_is_a_dash(render: Render, source: str) -> None:
    assert render(f"{{{{ {source} }}}}").get_text() == "—"


# Hostile text


@pytest.mark.parametrize(
    "source",
    [
        "{% call ui.header(t, t) %}{{ t }}{% endcall %}",
        "{% call ui.card(t, tools=t) %}{{ t }}{% endcall %}",
        "{{ ui.stat(t, t, hint=t) }}",
        "{% call ui.table([t], caption=t) %}<tr><td data-label='{{ t }}'>{{ t }}</td></tr>{% endcall %}",
        "{{ ui.pager(t, t) }}",
        "{% call ui.facts() %}{{ ui.fact(t, t) }}{% endcall %}",
        "{{ ui.action('/x', t, confirm=t, fields={t: t}) }}",
        "{{ ui.badge(t) }}{{ ui.status(t, t) }}",
        "{{ ui.line(t) }}{{ ui.code(t) }}{{ ui.text(t) }}{{ ui.copy(t) }}",
        "{{ ui.progress([(1, 'success', t)], 2) }}",
        "{{ ui.chart([(t, 3)], t) }}",
        "{{ ui.empty(t, t, '/x', t) }}",
        "{{ ui.alert(t) }}",
        "{% call ui.dialog('d', t) %}{{ t }}{% endcall %}{{ ui.dialog_link('d', t) }}",
        "{% call ui.poll('/x?q=' ~ t, 'live') %}{{ t }}{% endcall %}",
        "{{ ui.menu([{'title': t, 'items': [{'label': t, 'url': t, 'icon': 'home', 'is_active': true,"
        " 'live_url': '/x?q=' ~ t, 'told': t}]}]) }}",
    ],
)
def test_hostile_text_stays_text(render: Render, language: str, source: str) -> None:
    page = render(source, language, t=HOSTILE)
    assert page.select("img:not([alt=''])") == []
    assert page.select("b") == []
    assert all(tag.get("hx-get", "/x").startswith("/x") for tag in page.find_all(True))
    assert "{{7*7}}" in str(page)


def test_a_hostile_field_stays_text(render: Render) -> None:
    class Hostile(Form):
        name = StringField(HOSTILE, description=HOSTILE, default=HOSTILE)
        body = TextAreaField(HOSTILE, default=HOSTILE)
        kind = SelectField(HOSTILE, choices=[SelectChoice(HOSTILE, HOSTILE)])
        way = RadioField(HOSTILE, choices=[SelectChoice(HOSTILE, HOSTILE)])

    page = render(
        "{% call ui.form(form, '/x', submit=t) %}{% for f in form %}{{ ui.field(f) }}{% endfor %}{% endcall %}",
        form=Hostile,
        t=HOSTILE,
    )
    assert page.select("img, b, [hx-get]") == []
    assert one(page, "textarea").get_text().strip() == HOSTILE


# Forms


CHOICES = [SelectChoice("a", "Active"), SelectChoice("b", "Closed")]


class _Sample(Form):
    name = StringField("Name", [Filled()])
    price = MoneyField("Price")
    day = DayField("Day")
    secret = PasswordField("Password")
    body = TextAreaField("Text", render_kw={"data-count-parts": "", "data-joined": 66})
    file = FileField("Recipients", render_kw={"data-dropzone": ""})
    kind = SelectField("Kind", choices=CHOICES, default="b")
    way = RadioField("State", choices=CHOICES)
    agreed = BooleanField("Yes")


EVERY_FIELD = """
{% call ui.form(form, '/save', multipart=True, cancel_url='/back') %}
{% for f in form if f.type != "CSRFTokenField" %}{{ ui.field(f) }}{% endfor %}
{% endcall %}
"""


def test_a_form_posts_with_its_token_once(render: Render) -> None:
    form = one(render(EVERY_FIELD, form=_Sample), "form")
    assert (form["method"], form["action"], form["enctype"]) == ("post", "/save", "multipart/form-data")
    assert one(form, "input[name=csrf_token]")["value"]
    assert one(form, "a[href='/back']").get_text() == "انصراف"


def test_every_control_has_its_label_in_the_readers_language(render: Render) -> None:
    for language, name in (("fa", "نام"), ("en", "Name")):
        page = render(EVERY_FIELD, language, form=_Sample)
        assert one(page, "label[for=name]").get_text() == name
        for control in page.select("input:not([type=hidden]), select, textarea"):
            assert control.find_parent("label") or page.select(f"label[for={control['id']}]"), control


def test_each_kind_of_field_has_its_control(render: Render) -> None:
    page = render(EVERY_FIELD, form=_Sample)
    assert one(page, "#price")["dir"] == "ltr"
    assert one(page, ".input-group").get_text().strip() == "ریال"
    assert one(page, "#day")["placeholder"] == "۱۴۰۵/۰۹/۰۳"
    assert one(page, "#secret")["type"] == "password"
    assert one(page, "#kind option[selected]").get_text() == "بسته‌شده"
    assert one(page, "[data-drop] input[type=file]")["id"] == "file"
    assert one(page, "#body")["data-joined"] == "66"
    assert one(page, "[data-count-of=body]").has_attr("hidden")


def test_what_is_wrong_stands_at_the_head_and_at_its_field(render: Render) -> None:
    def wrong() -> Form:
        form = _Sample(data={"name": " "})
        form.validate()
        return form

    page = render(EVERY_FIELD, form=wrong)
    assert one(page, "[role=alert] a[href='#name']").get_text() == "نام"
    control = one(page, "#name")
    assert control["aria-invalid"] == "true"
    assert one(page, f"#{control['aria-describedby']}").get_text() == "این بخش باید پر شود."
    assert page.select("#price[aria-invalid]") == []


def test_a_refusal_of_the_whole_form_is_said_at_its_head(render: Render) -> None:
    def refused() -> Form:
        form = _Sample()
        refuse(form, Refusal("Too many tries"))
        return form

    page = render(EVERY_FIELD, form=refused)
    assert "تعداد تلاش‌ها بیش از حد مجاز است" in one(page, "[role=alert]").get_text()


def test_a_form_without_mistakes_shows_no_alert(render: Render) -> None:
    assert render(EVERY_FIELD, form=_Sample).select("[role=alert], .is-invalid, .error") == []


def test_an_action_is_a_form_of_one_button(render: Render) -> None:
    page = render("{{ ui.action('/end', 'End', tone='danger', icon='ban', confirm='Sure?', fields={'id': 7}) }}")
    form = one(page, "form")
    assert (form["method"], form["action"], form["data-confirm"]) == ("post", "/end", "Sure?")
    assert one(form, "input[name=csrf_token]")["value"]
    assert one(form, "input[name=id]")["value"] == "7"
    assert "btn-danger" in one(form, "button[type=submit]")["class"]
    assert not one(render("{{ ui.action('/end', 'End') }}"), "form").has_attr("data-confirm")


def test_filters_ask_by_address_and_can_be_cleared(render: Render) -> None:
    page = render("{% call ui.filters(form, '/list') %}{{ ui.field(form.kind) }}{% endcall %}", form=_Sample)
    form = one(page, "form")
    assert (form["method"], form["action"]) == ("get", "/list")
    assert form.select("input[name=csrf_token]") == []
    assert one(form, "a[href='/list']").get_text() == "پاک کردن"


# Lists, states, progress


def test_a_table_names_its_columns(render: Render) -> None:
    page = render("{% call ui.table(['A', 'B'], caption='C', numeric=['B']) %}<tr><td>1</td></tr>{% endcall %}")
    assert [head.get_text() for head in page.select("th[scope=col]")] == ["A", "B"]
    assert one(page, "th.num").get_text() == "B"
    assert one(page, "caption").get_text() == "C"
    assert one(page, "tbody td").get_text() == "1"


def test_a_pager_links_only_where_there_is_something(render: Render) -> None:
    assert render("{{ ui.pager() }}").get_text() == ""
    assert one(render("{{ ui.pager(older_url='/o') }}"), "a")["href"] == "/o"
    assert [link["href"] for link in render("{{ ui.pager('/o', '/n') }}").select("a")] == ["/n", "/o"]


@pytest.mark.parametrize("code", [*OUTCOME_LABELS, *CAMPAIGN_LABELS, *PROGRESS_LABELS])
def test_every_state_has_a_look_of_its_own(look: Flask, code: str) -> None:
    assert str(code) in look.jinja_env.get_template("_ui/badge.html").module.LOOKS


def test_a_state_nobody_knows_is_shown_all_the_same(render: Render) -> None:
    badge = one(render("{{ ui.status('odd', 'Odd') }}"), ".badge")
    assert badge.get_text().strip() == "Odd"
    assert "tone-muted" in badge["class"]


def widths(page: BeautifulSoup) -> list[tuple[float, float]]:
    """Where each stretch of a bar begins, and how wide it is."""
    return [(float(str(rect["x"])), float(str(rect["width"]))) for rect in page.select("rect")]


def test_progress_fills_as_much_as_there_is(render: Render) -> None:
    page = render("{{ ui.progress([(25, 'success', 'A'), (0, 'danger', 'B'), (50, 'info', 'C')], 100) }}")
    assert widths(page) == [(0, 250), (250, 500)]
    assert [item.get_text(" ", strip=True) for item in page.select("li")] == ["A ۲۵ ۲۵٪", "B ۰ ۰٪", "C ۵۰ ۵۰٪"]


def test_progress_of_nothing_is_empty(render: Render) -> None:
    assert widths(render("{{ ui.progress([(0, 'success', 'A')], 0) }}")) == []


def test_a_chart_can_be_read_without_seeing_it(render: Render) -> None:
    page = render("{{ ui.chart([('Mon', 5), ('Tue', 10)], 'Sent') }}", "en")
    assert [float(str(bar["height"])) for bar in page.select("rect")] == [50, 100]
    assert [item.get_text(" ", strip=True) for item in page.select("li")] == ["Mon 5", "Tue 10"]
    assert "10" in one(page, "figcaption").get_text()


def test_a_chart_of_nothing_is_drawn_too(render: Render) -> None:
    assert render("{{ ui.chart([], 'Sent') }}").select("li") == []


def test_a_live_block_asks_until_it_is_finished(render: Render) -> None:
    source = "{% call ui.poll('/c/1', 'live', seconds=3, is_finished=done) %}x{% endcall %}"
    block = one(render(source, done=False), "#live")
    assert (block["hx-get"], block["hx-trigger"], block["hx-swap"]) == ("/c/1", "every 3s", "outerHTML")
    assert block["aria-busy"] == "true"
    finished = one(render(source, done=True), "#live")
    assert [name for name in finished.attrs if name.startswith("hx-") or name == "aria-busy"] == []


def test_markup_a_page_hands_over_is_kept(render: Render) -> None:
    page = render("{{ ui.stat('A', ui.money(1000)) }}{{ ui.fact('B', m) }}", m=Markup("<i>x</i>"))
    assert page.select(".stat-value .money")
    assert page.select("dd i")


# The frame of a page


def page_of(client: Any, language: str, **cookies: str) -> BeautifulSoup:
    """A page that needs nobody signed in."""
    for name, value in {"language": language, **cookies}.items():
        client.set_cookie(name, value)
    return BeautifulSoup(client.get("/no/such/page").text, "html.parser")


@pytest.mark.parametrize(
    ("language", "direction", "sheet"),
    [("fa", "rtl", "css/tabler-1.6.1.rtl.min.css"), ("en", "ltr", "css/tabler-1.6.1.min.css")],
)
def test_a_page_runs_the_way_its_language_does(client: Any, language: str, direction: str, sheet: str) -> None:
    page = page_of(client, language)
    assert (one(page, "html")["lang"], one(page, "html")["dir"]) == (language, direction)
    assert str(page.select("link[rel=stylesheet]")[0]["href"]).partition("?")[0].endswith(sheet)
    other = one(page, "input[name=language]")
    assert other["value"] != language


def test_the_chosen_theme_is_in_the_page_from_its_first_byte(client: Any) -> None:
    assert page_of(client, "fa", theme="dark").html["data-bs-theme"] == "dark"
    assert not page_of(client, "fa", theme='"><script>').html.has_attr("data-bs-theme")


def test_a_failure_says_what_to_do_next(client: Any) -> None:
    page = page_of(client, "fa")
    assert one(page, "h1").get_text() in one(page, "title").get_text()
    assert one(page, "[data-message] p").get_text()
    assert one(page, "main a.btn")["href"] == "/"


def test_htmx_is_told_a_failure_without_the_page_around_it(client: Any) -> None:
    answer = client.get("/no/such/page", headers={"HX-Request": "true"})
    assert answer.status_code == 404
    assert "<html" not in answer.text
    assert BeautifulSoup(answer.text, "html.parser").select("[data-message]")


def test_a_failure_needs_neither_a_database_nor_a_person(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_given: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    for callback in ("_user_callback", "_request_callback"):
        monkeypatch.setattr(login_manager, callback, away)
    with client.session_transaction() as session:
        session["_user_id"] = "1"
    answer = client.get("/")
    assert answer.status_code == 503
    assert one(BeautifulSoup(answer.text, "html.parser"), "[data-message] p").get_text()
