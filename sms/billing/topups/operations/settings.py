"""Writes of payment gateways and of the policy. Credentials are sealed, and never told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sms.accounts.operations import record
from sms.billing.topups import queries
from sms.billing.topups.contract import Access, PaymentGateway
from sms.billing.topups.queries import Policy
from sms.billing.topups.registry import ADAPTERS, build
from sms.core.db import execute, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.money import MRIAL_PER_RIAL
from sms.core.seal import seal, unseal
from sms.core.text import N_
from sms.operators.contract import Unreachable

_SCHEMES = ("https://", "http://")


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What staff decide of a payment gateway."""

    name: str
    base_url: str
    is_sandbox: bool
    is_active: bool
    least_mrial: int
    most_mrial: int


def add_gateway(
    *,
    adapter: str,
    settings: GatewaySettings,
    credentials: Mapping[str, str],
    seal_key: str,
    actor_id: int | None,
    at: datetime,
) -> int:
    """Add a payment gateway; returns its id. Raises NotFound for an unknown kind, Refusal."""
    if adapter not in ADAPTERS:
        raise NotFound(N_("There is no payment gateway of this kind."))
    _check(adapter, settings)
    _check_credentials(adapter, credentials)
    made = scalar(
        """INSERT INTO billing_payment_gateway (adapter, name, base_url, credentials_sealed, is_sandbox, is_active,
               least_mrial, most_mrial, created_at)
           VALUES (:adapter, :name, :base_url, :sealed, :is_sandbox, :is_active, :least, :most, :at) RETURNING id""",
        adapter=adapter,
        sealed=seal(dict(credentials), seal_key=seal_key),
        at=at,
        **_columns(settings),
    )
    _audit("payment_gateway.added", int(made), settings, actor_id=actor_id, at=at)
    return int(made)


def change_gateway(
    *,
    gateway_id: int,
    settings: GatewaySettings,
    credentials: Mapping[str, str],
    seal_key: str,
    actor_id: int | None,
    at: datetime,
) -> None:
    """Change a payment gateway; credentials that are not given stay, unless the address leads elsewhere.

    Raises NotFound, Refusal.
    """
    before = queries.gateway(gateway_id)
    _check(before.adapter, settings)
    given = {name: value for name, value in credentials.items() if value}
    if not given and settings.base_url != before.base_url:
        raise Refusal(N_("The address leads elsewhere: give the credentials again, those kept belong to the old one."))
    sealed = bytes(before.credentials_sealed)
    if given:
        _check_credentials(before.adapter, given)
        sealed = seal(given, seal_key=seal_key)
    execute(
        """UPDATE billing_payment_gateway SET name = :name, base_url = :base_url, is_sandbox = :is_sandbox,
               is_active = :is_active, least_mrial = :least, most_mrial = :most, credentials_sealed = :sealed
           WHERE id = :id""",
        id=gateway_id,
        sealed=sealed,
        **_columns(settings),
    )
    _audit("payment_gateway.changed", gateway_id, settings, actor_id=actor_id, at=at)


def _columns(settings: GatewaySettings) -> dict[str, object]:
    return {
        "name": settings.name.strip(),
        "base_url": settings.base_url,
        "is_sandbox": settings.is_sandbox,
        "is_active": settings.is_active,
        "least": settings.least_mrial,
        "most": settings.most_mrial,
    }


def _check(adapter: str, settings: GatewaySettings) -> None:
    if not settings.name.strip():
        raise Refusal(N_("Give it a name."))
    if not MRIAL_PER_RIAL <= settings.least_mrial <= settings.most_mrial:
        raise Refusal(N_("The least amount is one rial or more, and not above the most."))
    if settings.base_url and not settings.base_url.startswith(_SCHEMES):
        raise Refusal(N_("The address begins with https://."))
    if ADAPTERS[adapter].needs_address and not settings.base_url:
        raise Refusal(N_("This kind of gateway needs an address."))


def _check_credentials(adapter: str, credentials: Mapping[str, str]) -> None:
    if any(not credentials.get(name, "").strip() for name in ADAPTERS[adapter].credential_fields):
        raise Refusal(N_("Give the merchant’s id."))


def _audit(action: str, gateway_id: int, settings: GatewaySettings, *, actor_id: int | None, at: datetime) -> None:
    details = {"name": settings.name, "is_active": settings.is_active, "is_sandbox": settings.is_sandbox}
    subject = f"payment_gateway:{gateway_id}"
    record(actor_id=actor_id, account_id=None, action=action, subject=subject, details=details, at=at)


def connect(gateway_id: int, *, seal_key: str) -> PaymentGateway:
    """A gateway ready to talk, outside of any transaction; close it after use. Raises NotFound, CannotUnseal or
    Refusal."""
    found = queries.gateway(gateway_id)
    credentials = unseal(bytes(found.credentials_sealed), seal_key=seal_key)
    try:
        return build(found.adapter, Access(credentials, base_url=found.base_url, is_sandbox=found.is_sandbox))
    except Unreachable:
        raise Refusal(N_("The address of this payment gateway cannot be used.")) from None


def set_policy(policy: Policy, *, actor_id: int | None, at: datetime) -> None:
    """From now on so; raises Refusal."""
    if not (0 < policy.tries_an_hour <= 1000 and 0 <= policy.new_days <= 3660 and policy.new_day_most_mrial >= 0):  # noqa: PLR2004
        raise Refusal(N_("Tries are 1 to 1,000 an hour, days up to 3,660, amounts from zero."))
    execute(
        """INSERT INTO billing_topup_policy (tries_an_hour, new_days, new_day_most_mrial, valid_from, created_by)
           VALUES (:tries, :days, :most, :at, :actor)""",
        tries=policy.tries_an_hour,
        days=policy.new_days,
        most=policy.new_day_most_mrial,
        at=at,
        actor=actor_id,
    )
    details = {"tries_an_hour": policy.tries_an_hour, "new_days": policy.new_days, "most": policy.new_day_most_mrial}
    record(actor_id=actor_id, account_id=None, action="topup.policy_changed", details=details, at=at)
