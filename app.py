"""Builds the Flask app: settings in, handles wired, blueprints and commands registered."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from sms.accounts import admin as accounts_admin
from sms.accounts import cli as accounts_cli
from sms.accounts import views as accounts_views
from sms.accounts.looks import admin as looks_admin
from sms.accounts.looks import views as looks_views
from sms.accounts.tree import cli as tree_cli
from sms.billing import admin as billing_admin
from sms.billing import cli as billing_cli
from sms.billing import views as billing_views
from sms.billing.invoices import admin as invoices_admin
from sms.billing.invoices.views import issued as issued_invoices_views
from sms.billing.invoices.views import pages as invoices_views
from sms.billing.price_lists import views as price_list_views
from sms.billing.slips import admin as slips_admin
from sms.billing.slips import views as slips_views
from sms.billing.taxes import admin as taxes_admin
from sms.billing.tiers import admin as tiers_admin
from sms.billing.topups import admin as topups_admin
from sms.billing.topups import views as topups_views
from sms.contacts import admin as contacts_admin
from sms.contacts.views import groups as contacts_views
from sms.contacts.views import optouts as optouts_views
from sms.core import db
from sms.core.config import Settings
from sms.core.config import settings as current_settings
from sms.core.web import assets, failures, filters, forms, guards, htmx, i18n, limits, nav, security, site, ui
from sms.dashboard import cli as dashboard_cli
from sms.dashboard import views as dashboard_views
from sms.dashboard.alerts import admin as alerts_admin
from sms.dashboard.alerts import views as alerts_views
from sms.dashboard.reconciliation import admin as reconciliation_admin
from sms.dashboard.reports import views as reports_views
from sms.dashboard.usage import views as usage_views
from sms.inbox import admin as inbox_admin
from sms.inbox import views as inbox_views
from sms.inbox import webhooks as inbox_webhooks
from sms.inbox.automations import admin as automations_admin
from sms.inbox.automations.views import results as automations_views
from sms.inbox.forwarding import views as forwarding_views
from sms.inbox.labels import views as labels_views
from sms.ledger import admin as ledger_admin
from sms.ledger import cli as ledger_cli
from sms.ledger import views as ledger_views
from sms.lines import admin as lines_admin
from sms.lines import cli as lines_cli
from sms.lines import views as lines_views
from sms.lines.documents import admin as documents_admin
from sms.lines.documents import views as documents_views
from sms.lines.formats import cli as lines_formats_cli
from sms.lines.formats.admin import files as lines_files_admin
from sms.lines.formats.admin import formats as lines_formats_admin
from sms.lines.formats.admin import prices as lines_prices_admin
from sms.lines.links import admin as line_links_admin
from sms.lines.links import cli as line_links_cli
from sms.lines.orders import admin as line_orders_admin
from sms.lines.orders import cli as line_orders_cli
from sms.lines.orders import views as line_orders_views
from sms.lines.public import admin as public_admin
from sms.lines.public import cli as public_cli
from sms.lines.renewals import views as renewals_views
from sms.lines.shop import views as lines_shop_views
from sms.lines.stock import admin as lines_stock_admin
from sms.lines.stock import cli as lines_stock_cli
from sms.links import admin as links_admin
from sms.links import cli as links_cli
from sms.links.views import follow as links_views
from sms.operators import admin as operators_admin
from sms.operators import cli as operators_cli
from sms.operators.push import admin as operators_push
from sms.outbox import admin as outbox_admin
from sms.outbox import cli as outbox_cli
from sms.outbox import webhooks as outbox_webhooks
from sms.outbox.comparison import cli as comparison_cli
from sms.outbox.comparison import views as comparison_views
from sms.outbox.profits import views as profit_views
from sms.outbox.refunds import admin as refunds_admin
from sms.outbox.refunds import views as refunds_views
from sms.outbox.views import control as outbox_views
from sms.resellers.brand import admin as brand_admin
from sms.resellers.brand import views as brand_views
from sms.resellers.credit import views as credit_views
from sms.resellers.handing import views as handing_views
from sms.resellers.tree import views as resellers_views

WEB_PARTS = (assets, i18n, filters, ui, htmx, forms, nav, site, failures, security, guards)
BLUEPRINTS = (
    dashboard_views.bp,
    reports_views.bp,
    alerts_views.bp,
    outbox_views.bp,
    outbox_webhooks.bp,
    inbox_views.bp,
    labels_views.bp,
    inbox_webhooks.bp,
    automations_views.bp,
    forwarding_views.bp,
    comparison_views.bp,
    profit_views.bp,
    refunds_views.bp,
    resellers_views.bp,
    credit_views.bp,
    handing_views.bp,
    brand_views.bp,
    links_views.bp,
    lines_views.bp,
    lines_shop_views.bp,
    line_orders_views.bp,
    renewals_views.bp,
    documents_views.bp,
    contacts_views.bp,
    optouts_views.bp,
    billing_views.bp,
    price_list_views.bp,
    topups_views.bp,
    slips_views.bp,
    invoices_views.bp,
    issued_invoices_views.bp,
    usage_views.bp,
    ledger_views.bp,
    accounts_views.bp,
    looks_views.bp,
    outbox_admin.bp,
    inbox_admin.bp,
    refunds_admin.bp,
    reconciliation_admin.bp,
    alerts_admin.bp,
    contacts_admin.bp,
    automations_admin.bp,
    operators_admin.bp,
    operators_push.bp,
    lines_admin.bp,
    lines_formats_admin.bp,
    lines_prices_admin.bp,
    lines_files_admin.bp,
    lines_stock_admin.bp,
    line_orders_admin.bp,
    documents_admin.bp,
    public_admin.bp,
    line_links_admin.bp,
    links_admin.bp,
    billing_admin.bp,
    taxes_admin.bp,
    tiers_admin.bp,
    topups_admin.bp,
    slips_admin.bp,
    invoices_admin.bp,
    ledger_admin.bp,
    accounts_admin.bp,
    looks_admin.bp,
    brand_admin.bp,
)
COMMANDS = (
    *accounts_cli.COMMANDS,
    *tree_cli.COMMANDS,
    *ledger_cli.COMMANDS,
    *operators_cli.COMMANDS,
    *lines_cli.COMMANDS,
    *lines_formats_cli.COMMANDS,
    *lines_stock_cli.COMMANDS,
    *line_orders_cli.COMMANDS,
    *public_cli.COMMANDS,
    *line_links_cli.COMMANDS,
    *links_cli.COMMANDS,
    *billing_cli.COMMANDS,
    *outbox_cli.COMMANDS,
    *comparison_cli.COMMANDS,
    *dashboard_cli.COMMANDS,
)


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
        SESSION_COOKIE_SECURE=chosen.is_https,
        SESSION_COOKIE_NAME="__Host-session" if chosen.is_https else "session",
    )
    if chosen.proxy_hops:  # who asks and by which way is told by our own proxies, exactly so many of them
        hops = chosen.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    db.init_app(app, chosen)
    limits.init_app(app, chosen)
    for part in WEB_PARTS:
        part.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    for command in COMMANDS:
        app.cli.add_command(command)
    return app
