"""Reads of brands and domains."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows, scalar
from sms.core.errors import NotFound
from sms.core.text import N_

NO_SUCH_DOMAIN = N_("There is no such domain.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """What a reseller shows under its domains; `logo_mark` changes with the picture and is empty without one."""

    account_id: int
    path: str = ""
    account_name: str = ""
    is_open: bool = True
    name: str = ""
    main_colour: str = ""
    second_colour: str = ""
    support_phone: str = ""
    support_email: str = ""
    is_sign_up_open: bool = True
    logo_mark: str = ""

    @property
    def style_mark(self) -> str:
        """Changes with the colours; empty without any."""
        colours = f"{self.main_colour}{self.second_colour}"
        return hashlib.sha256(colours.encode()).hexdigest()[:8] if colours else ""


_BRAND = """
SELECT a.id AS account_id, a.path, a.name AS account_name, a.is_open, coalesce(b.name, '') AS name,
       coalesce(b.main_colour, '') AS main_colour, coalesce(b.second_colour, '') AS second_colour,
       coalesce(b.support_phone, '') AS support_phone, coalesce(b.support_email, '') AS support_email,
       coalesce(b.is_sign_up_open, true) AS is_sign_up_open, coalesce(left(md5(b.logo), 8), '') AS logo_mark
FROM accounts_account a LEFT JOIN resellers_brand b ON b.account_id = a.id
"""


def brand(account_id: int) -> Brand:
    """An account's brand, be it that nothing of it was set yet."""
    found = row(f"{_BRAND} WHERE a.id = :id", id=account_id)
    if found is None:
        raise NotFound(N_("There is no such account."))
    return Brand(**found._mapping)


def brand_of_host(host: str) -> Brand | None:
    """The brand that an approved domain shows."""
    found = row(
        f"{_BRAND} JOIN resellers_domain d ON d.account_id = a.id WHERE d.host = :host AND d.approved_at IS NOT NULL",
        host=host,
    )
    return Brand(**found._mapping) if found else None


def logo(account_id: int) -> tuple[bytes, str] | None:
    """The picture of a brand and what it is; None without one."""
    found = row("SELECT logo, logo_type FROM resellers_brand WHERE account_id = :id", id=account_id)
    return (bytes(found.logo), found.logo_type) if found is not None and found.logo is not None else None


def is_sign_up_open() -> bool:
    """Whether the installation itself lets people open accounts."""
    return bool(
        scalar(
            "SELECT coalesce((SELECT b.is_sign_up_open FROM resellers_brand b JOIN accounts_account a"
            " ON a.id = b.account_id WHERE a.kind = 'installation'), true)"
        )
    )


_DOMAIN = """
SELECT d.id, d.account_id, d.host, d.proof, d.asked_at, d.proven_at, d.approved_at, a.name AS account_name
FROM resellers_domain d JOIN accounts_account a ON a.id = d.account_id
"""


def domains(account_id: int) -> Sequence[Row[Any]]:
    """The domains of an account, by name."""
    return rows(f"{_DOMAIN} WHERE d.account_id = :id ORDER BY d.host", id=account_id)


def all_domains(*, most: int = 200) -> Sequence[Row[Any]]:
    """Every domain: those that wait for staff first, then the latest."""
    return rows(
        f"{_DOMAIN} ORDER BY d.approved_at IS NOT NULL, d.id DESC LIMIT :most",
        most=most,
    )


def domain(domain_id: int, *, account_id: int | None = None) -> Row[Any]:
    """One domain, of this account where one is given; raises NotFound."""
    found = row(
        f"{_DOMAIN} WHERE d.id = :id AND (CAST(:account_id AS bigint) IS NULL OR d.account_id = :account_id)",
        id=domain_id,
        account_id=account_id,
    )
    if found is None:
        raise NotFound(NO_SUCH_DOMAIN)
    return found


def is_proof(*, host: str, proof: str) -> bool:
    """Whether somebody asked for this domain with this proof."""
    return bool(scalar("SELECT 1 FROM resellers_domain WHERE proof = :proof AND host = :host", proof=proof, host=host))
