"""A reseller's pages of its brand and domains, and what everybody is shown under them."""

from urllib.parse import urlsplit

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.forms import by
from sms.accounts.rules import Permission
from sms.core.config import settings
from sms.core.db import release, transaction
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.assets import KEPT
from sms.core.web.forms import refuse
from sms.core.web.guards import public, require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.core.web.limits import limiter
from sms.core.web.site import Site, found_by, opened_by, site
from sms.resellers.brand import operations, queries
from sms.resellers.brand.forms import BrandForm, DomainForm
from sms.resellers.brand.rules import UnusableBrand, host_of, proof_path, stylesheet

bp = Blueprint("brand", __name__)

nav.add(
    N_("Brand"),
    endpoint="brand.brand",
    icon="building-store",
    section="reseller",
    permission=Permission.MANAGE_SUB_ACCOUNTS,
    order=80,
)


# What everybody sees


@found_by
def site_of(host: str) -> Site | None:
    """The brand that a host shows; the installation's own host is not looked up."""
    wanted = host_of(host)
    if not wanted or wanted == our_host():
        return None
    found = queries.brand_of_host(wanted)
    if found is None:
        return None
    return Site(
        account_id=found.account_id,
        path=found.path,
        name=found.name or found.account_name,
        logo_url=url_for("brand.logo", v=found.logo_mark) if found.logo_mark else "",
        style_url=url_for("brand.style", v=found.style_mark) if found.style_mark else "",
        support_phone=found.support_phone,
        support_email=found.support_email,
        is_sign_up_open=found.is_sign_up_open and found.is_open,
    )


opened_by(queries.is_sign_up_open)


def our_host() -> str:
    """The host of the installation itself."""
    return urlsplit(settings().public_url).hostname or ""


@bp.get("/brand/style.css")
@public
def style() -> ResponseReturnValue:
    """The colours of the brand of this host."""
    account_id = site().account_id
    found = queries.brand(account_id) if account_id is not None else None
    text = stylesheet(main=found.main_colour, second=found.second_colour) if found else ""
    return _kept(Response(text, mimetype="text/css"), found.style_mark if found else "")


@bp.get("/brand/logo")
@public
def logo() -> ResponseReturnValue:
    """The logo of the brand of this host, or the panel's own."""
    account_id = site().account_id
    return _logo(account_id) if account_id is not None else redirect_to(url_for("static", filename="logo.svg"))


def _logo(account_id: int) -> ResponseReturnValue:
    found = queries.logo(account_id)
    if found is None:
        return redirect_to(url_for("static", filename="logo.svg"))
    return _kept(Response(found[0], mimetype=found[1]), queries.brand(account_id).logo_mark)


def _kept(response: Response, mark: str) -> Response:
    """What is asked for by the mark of its contents may be kept by the browser."""
    if mark and request.args.get("v") == mark:
        response.headers["Cache-Control"] = KEPT
    return response


@bp.get("/.well-known/payamgah/<string:proof>")
@public
def proof(proof: str) -> ResponseReturnValue:
    """Answered only under the domain that was asked for: so whoever reads it here has come by that domain to us."""
    if not queries.is_proof(host=host_of(request.host), proof=proof):
        raise NotFound(queries.NO_SUCH_DOMAIN)
    return Response(proof, mimetype="text/plain")


# The reseller's


@bp.route("/reseller/brand", methods=["GET", "POST"])
@require(Permission.MANAGE_SUB_ACCOUNTS)
def brand() -> ResponseReturnValue:
    """Name, picture, colours and support of one's own brand."""
    account_id = visitor().account_id
    found = queries.brand(account_id)
    form = BrandForm(obj=found)
    if form.validate_on_submit():
        try:
            with transaction():
                operations.set_brand(account_id=account_id, settings=form.settings, by=by())
        except UnusableBrand as error:
            refuse(form, error, form._fields.get(error.field))
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".brand"))
    elif request.method == "GET" and not found.name:
        form.name.data = found.account_name
    return _page(form, DomainForm(formdata=None))


def _page(form: BrandForm, domain_form: DomainForm) -> ResponseReturnValue:
    account_id = visitor().account_id
    return render_page(
        "resellers/brand.html",
        form=form,
        domain_form=domain_form,
        brand=queries.brand(account_id),
        domains=queries.domains(account_id),
        our_host=our_host(),
        proof_path=proof_path,
        status=422 if form.errors or domain_form.errors else 200,
    )


@bp.get("/reseller/brand/logo")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def own_logo() -> ResponseReturnValue:
    """One's own logo, wherever one is signed in."""
    return _logo(visitor().account_id)


@bp.post("/reseller/brand/domains")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def ask() -> ResponseReturnValue:
    """Ask for a domain."""
    account_id = visitor().account_id
    form = DomainForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.ask_for_domain(account_id=account_id, text=form.host.data, ours=our_host(), by=by())
        except (UnusableBrand, Refusal) as error:
            refuse(form, error, form.host)
        else:
            flash(_("Let the domain lead to this panel, then have it checked."), "success")
            return redirect_to(url_for(".brand"))
    return _page(BrandForm(formdata=None, obj=queries.brand(account_id)), form)


@bp.post("/reseller/brand/domains/<int:domain_id>/check")
@require(Permission.MANAGE_SUB_ACCOUNTS)
@limiter.limit("20 per minute")
def check(domain_id: int) -> ResponseReturnValue:
    """Go and see whether a domain leads to us."""
    account_id = visitor().account_id
    found = queries.domain(domain_id, account_id=account_id)
    release()  # nothing is held open while a foreign server takes its time
    if operations.reaches_us(host=found.host, proof=found.proof):
        with transaction():
            operations.note_proven(account_id=account_id, domain_id=domain_id, by=by())
        flash(_("The domain leads to this panel. Staff approve it now."), "success")
    else:
        flash(
            _("The domain does not lead to this panel yet; changes may take hours to be known everywhere."), "warning"
        )
    return redirect_to(url_for(".brand"))


@bp.post("/reseller/brand/domains/<int:domain_id>/remove")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def remove(domain_id: int) -> ResponseReturnValue:
    """Give a domain up."""
    with transaction():
        operations.remove_domain(domain_id=domain_id, account_id=visitor().account_id, by=by())
    flash(_("The domain is given up."), "success")
    return redirect_to(url_for(".brand"))
