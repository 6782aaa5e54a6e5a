"""Builds the Flask app: settings in, handles wired, blueprints and commands registered."""

from flask import Flask

from sms.accounts import cli as accounts_cli
from sms.accounts import views as accounts_views
from sms.core import db
from sms.core.config import Settings
from sms.core.config import settings as current_settings
from sms.core.web import failures, filters, forms, guards, htmx, i18n, nav, security

BLUEPRINTS = (accounts_views.bp,)
COMMANDS = (accounts_cli.commands,)


def create_app(settings: Settings | None = None) -> Flask:
    """One app, ready to serve or to work in."""
    chosen = settings or current_settings()
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=chosen.secret_key,
        MAX_CONTENT_LENGTH=1_000_000,
        MAX_FORM_MEMORY_SIZE=1_000_000,
        WTF_CSRF_TIME_LIMIT=None,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=chosen.public_url.startswith("https://"),
    )
    db.init_app(app, chosen)
    for part in (i18n, filters, htmx, forms, nav, failures, security, guards):
        part.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    for command in COMMANDS:
        app.cli.add_command(command)
    return app
