"""Writes of brands and domains. The look at a foreign server stands outside of every transaction: see `reaches_us`."""

import secrets
from dataclasses import dataclass

from sms.accounts.operations import record
from sms.accounts.rules import By
from sms.core import outward
from sms.core.db import execute, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.resellers.brand import queries
from sms.resellers.brand.rules import READABLE, VISIBLE, UnusableBrand, check_colour, check_host, picture_of, proof_path

MOST_DOMAINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandSettings:
    """What a reseller says of its brand; a `logo` of None leaves the picture as it is, an empty one takes it away."""

    name: str
    main_colour: str = ""
    second_colour: str = ""
    support_phone: str = ""
    support_email: str = ""
    is_sign_up_open: bool = True
    logo: bytes | None = None


def set_brand(*, account_id: int, settings: BrandSettings, by: By) -> None:
    """Show this under an account's domains from now on. Raises UnusableBrand."""
    if not settings.name.strip():
        raise UnusableBrand("name", N_("A brand needs a name."))
    wanted: dict[str, object] = {
        "name": settings.name.strip(),
        "main_colour": check_colour("main_colour", settings.main_colour, least=READABLE),
        "second_colour": check_colour("second_colour", settings.second_colour, least=VISIBLE),
        "support_phone": settings.support_phone.strip(),
        "support_email": settings.support_email.strip(),
        "is_sign_up_open": settings.is_sign_up_open,
    }
    before = queries.brand(account_id)
    changes: dict[str, object] = {
        name: {"before": getattr(before, name), "after": value}
        for name, value in wanted.items()
        if getattr(before, name) != value
    }
    execute(
        """INSERT INTO resellers_brand (account_id, name, main_colour, second_colour, support_phone, support_email,
               is_sign_up_open, changed_at)
           VALUES (:id, :name, :main_colour, :second_colour, :support_phone, :support_email, :is_sign_up_open, :at)
           ON CONFLICT (account_id) DO UPDATE SET name = excluded.name, main_colour = excluded.main_colour,
               second_colour = excluded.second_colour, support_phone = excluded.support_phone,
               support_email = excluded.support_email, is_sign_up_open = excluded.is_sign_up_open,
               changed_at = excluded.changed_at""",
        id=account_id,
        at=by.at,
        **wanted,
    )
    if settings.logo is not None:
        _set_logo(account_id, settings.logo)
        changes["logo"] = bool(settings.logo)
    if changes:
        _note("brand.set", account_id, "", changes, by)


def _set_logo(account_id: int, data: bytes) -> None:
    execute(
        "UPDATE resellers_brand SET logo = :logo, logo_type = :type WHERE account_id = :id",
        logo=data or None,
        type=picture_of(data).mime if data else "",
        id=account_id,
    )


def open_sign_up(*, root_id: int, is_open: bool, by: By) -> None:
    """Let people open accounts at the installation by themselves, or not; brands decide for themselves."""
    execute(
        "INSERT INTO resellers_brand (account_id, is_sign_up_open, changed_at) VALUES (:id, :is_open, :at)"
        " ON CONFLICT (account_id) DO UPDATE SET is_sign_up_open = excluded.is_sign_up_open, changed_at = :at",
        id=root_id,
        is_open=is_open,
        at=by.at,
    )
    _note("sign_up.opened" if is_open else "sign_up.closed", root_id, "", {}, by)


# Domains


def ask_for_domain(*, account_id: int, text: str, ours: str, by: By) -> int:
    """Ask for a domain; returns its id. Raises UnusableBrand, or Refusal when it is taken or there are enough."""
    host = check_host(text, ours=ours)
    if len(queries.domains(account_id)) >= MOST_DOMAINS:
        raise Refusal(N_("A reseller has at most %(most)s domains."), most=MOST_DOMAINS)
    if queries.brand_of_host(host) is not None:
        raise UnusableBrand("host", N_("This domain is in use already."))
    made = scalar(
        "INSERT INTO resellers_domain (account_id, host, proof, asked_at, asked_by)"
        " VALUES (:id, :host, :proof, :at, :by) ON CONFLICT (account_id, host) DO NOTHING RETURNING id",
        id=account_id,
        host=host,
        proof=secrets.token_hex(16),
        at=by.at,
        by=by.actor_id,
    )
    if made is None:
        raise UnusableBrand("host", N_("This domain is in use already."))
    _note("domain.asked", account_id, host, {}, by)
    return int(made)


def put_domain(*, account_id: int, host: str, by: By) -> None:
    """Show a brand under a host that needs no proof: one that leads nowhere but to this machine, of the sample data."""
    execute(
        "INSERT INTO resellers_domain (account_id, host, proof, asked_at, approved_at)"
        " VALUES (:id, :host, :proof, :at, :at) ON CONFLICT DO NOTHING",
        id=account_id,
        host=host,
        proof=secrets.token_hex(16),
        at=by.at,
    )


def reaches_us(*, host: str, proof: str) -> bool:
    """Whether the network leads from this domain to us, who alone know the answer; takes seconds, writes nothing."""
    return (outward.read(host, proof_path(proof)) or "").strip() == proof


def note_proven(*, account_id: int, domain_id: int, by: By) -> None:
    """Remember that a domain leads to us. Raises NotFound."""
    found = queries.domain(domain_id, account_id=account_id)
    execute("UPDATE resellers_domain SET proven_at = :at WHERE id = :id", id=domain_id, at=by.at)
    _note("domain.proven", account_id, found.host, {}, by)


def approve_domain(*, domain_id: int, is_sure: bool, by: By) -> None:
    """Show the brand under a domain. Raises NotFound; Refusal when another one has it, or it was never proven and staff
    do not say that they know better."""
    found = queries.domain(domain_id)
    if found.proven_at is None and not is_sure:
        raise Refusal(N_("It is not proven that this domain leads to us."))
    scalar("SELECT pg_advisory_xact_lock(hashtext('resellers_domain'))")
    taken = queries.brand_of_host(found.host)
    if taken is not None:
        raise Refusal(N_("This domain is in use already."))
    execute(
        "UPDATE resellers_domain SET approved_at = :at, approved_by = :by WHERE id = :id",
        id=domain_id,
        at=by.at,
        by=by.actor_id,
    )
    _note("domain.approved", found.account_id, found.host, {"is_proven": found.proven_at is not None}, by)


def remove_domain(*, domain_id: int, account_id: int | None = None, reason: str = "", by: By) -> None:
    """Give a domain up, or (without an account: staff) turn it down or take it back. Raises NotFound."""
    found = queries.domain(domain_id, account_id=account_id)
    if not execute("DELETE FROM resellers_domain WHERE id = :id", id=domain_id):
        raise NotFound(queries.NO_SUCH_DOMAIN)
    _note("domain.removed", found.account_id, found.host, {"reason": reason} if reason else {}, by)


def _note(action: str, account_id: int, subject: str, details: dict[str, object], by: By) -> None:
    record(
        actor_id=by.actor_id,
        account_id=account_id,
        action=action,
        subject=subject,
        details=details,
        at=by.at,
        address=by.address,
    )
