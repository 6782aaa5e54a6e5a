"""The page on which somebody plays the people who write to a line: a form, in both languages, and what came of it."""

from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import parse_qs

from sms.simulator.http import Reply

_FIELDS = (  # name, label, what stands in it at first
    ("from", "From (a mobile number) · از", "09121234567"),
    ("to", "To (a line) · به خط", ""),
    ("body", "Text · متن", ""),
    ("count", "People, their numbers one after another · چند نفر", "1"),
    ("times", "Times the operator brings each text · هر پیامک چند بار", "1"),
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Send a reply</title>
<style>body{{font:1rem system-ui;max-width:32rem;margin:2rem auto;padding:0 1rem}}label{{display:block;margin:1rem 0}}
input,select,textarea{{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.5rem}}</style></head>
<body><h1>Send a reply · فرستادن پاسخ</h1>{said}
<form method="post" action="/reply"><label>Operator · اپراتور<select name="operator">{operators}</select></label>
{fields}<button>Send · بفرست</button></form></body></html>
"""


def read(body: bytes) -> dict[str, str]:
    """What the form says; a field that was left empty as it stands there at first."""
    given = {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}
    return {name: usual for name, _, usual in _FIELDS} | given


def wanted(form: Mapping[str, str]) -> dict[str, object]:
    """The same as the control takes it; raises ValueError for numbers that are none."""
    return {**form, "count": int(form["count"]), "times": int(form["times"])}


def page(operators: Sequence[str], form: Mapping[str, str], *, said: str = "", status: int = 200) -> Reply:
    """The form, filled in as it was sent, and what is to be said of it."""
    chosen = form.get("operator")
    options = "".join(f"<option{' selected' * (code == chosen)}>{escape(code)}</option>" for code in operators)
    fields = "".join(_field(name, label, form.get(name, usual)) for name, label, usual in _FIELDS)
    told = f'<p role="status">{escape(said)}</p>' if said else ""
    text = _PAGE.format(said=told, operators=options, fields=fields)
    return Reply(text.encode(), status=status, content_type="text/html; charset=utf-8")


def _field(name: str, label: str, value: str) -> str:
    if name == "body":
        field = f'<textarea name="body" rows="4" dir="auto" required>\n{escape(value)}</textarea>'
    else:
        field = f'<input name="{name}" value="{escape(value)}" dir="ltr" required>'
    return f"<label>{escape(label)}{field}</label>\n"
