"""One template, two answers: the whole page, or the one block of it that htmx asked for."""

from flask import Flask, Response, make_response, render_template, request
from jinja2_fragments.flask import render_block
from werkzeug.utils import redirect

STOP_POLLING = 286  # htmx's own status: take this content and ask no more


def init_app(app: Flask) -> None:
    """Nothing to wire: the helpers below are called by views."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def is_htmx() -> bool:
    """Whether a fragment is wanted: htmx asks, and it is neither a boosted link nor a history restore."""
    headers = request.headers
    return (
        headers.get("HX-Request") == "true"
        and headers.get("HX-Boosted") != "true"
        and headers.get("HX-History-Restore-Request") != "true"
    )


def is_unattended() -> bool:
    """Whether a page asks by itself, without anybody before it: it says so in a header, and keeps no session alive."""
    return request.headers.get("Unattended") == "true"


def render_page(template: str, /, *, fragment: str | None = None, status: int = 200, **context: object) -> Response:
    """The page, or only its block `fragment` when htmx asks for one."""
    if fragment is not None and is_htmx():
        response = make_response(render_block(template, fragment, **context), status)
    else:
        response = make_response(render_template(template, **context), status)
    response.vary.add("HX-Request")
    return response


def redirect_to(url: str) -> Response:
    """Go there with GET: 303 for a browser; htmx is told by header, its own request must not follow."""
    if is_htmx():
        return Response(status=204, headers={"HX-Redirect": url})
    answer = redirect(url, 303)
    return Response(answer.get_data(), status=303, headers=answer.headers)
