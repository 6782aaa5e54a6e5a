"""Commands for scripts: the same operations as the pages."""

import json
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext

from sms.core import clock
from sms.core.actor import PANEL
from sms.core.config import settings
from sms.core.console import json_option, refusals, tell
from sms.core.db import release, transaction
from sms.core.errors import Refusal
from sms.core.text import N_
from sms.operators import operations, queries
from sms.operators.health.rules.talks import explained
from sms.operators.rules import COLOUR_LABELS, GatewaySettings, OnAbsent, SaleMode

_USUAL = GatewaySettings(name="", base_url="")
UNREADABLE_FILE = N_("The credentials file must hold name=value lines or one JSON object of texts.")


@click.command("operator-add")
@click.argument("code")
@click.option("--name-fa", required=True, help="Its Persian name.")
@click.option("--name-en", required=True, help="Its English name.")
@click.option("--colour", type=click.Choice(list(COLOUR_LABELS)), default="blue", show_default=True)
@click.option("--sale-mode", type=click.Choice([str(mode) for mode in SaleMode]), default="single", show_default=True)
@json_option
@with_appcontext
def operator_add(*, code: str, name_fa: str, name_en: str, colour: str, sale_mode: str, as_json: bool) -> None:
    """Add an operator, known by its prefix CODE such as 3000."""
    with refusals(), transaction():
        operator_id = operations.add_operator(
            code=code,
            names=(name_fa, name_en),
            colour=colour,
            sale_mode=SaleMode(sale_mode),
            by=PANEL,
            at=clock.now(),
        )
    tell({"operator_id": operator_id, "code": code}, as_json)


@click.command("gateway-add")
@click.option("--operator", "operator_code", required=True, help="Prefix of the operator, such as 3000.")
@click.option("--adapter", default="magfa", show_default=True, help="The language the operator speaks.")
@click.option("--name", required=True)
@click.option("--base-url", required=True, help="Address of the operator's web service.")
@click.option("--credential", "credential_words", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.option(
    "--credentials-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="name=value lines or a JSON object; unlike --credential it leaves no trace in the shell's history.",
)
@click.option("--batch-size", type=int, default=_USUAL.batch_size, show_default=True)
@click.option("--concurrency", type=int, default=_USUAL.concurrency, show_default=True)
@click.option("--timeout", "timeout_seconds", type=float, default=_USUAL.timeout_seconds, show_default=True)
@click.option("--slowest-accept", "slowest_accept_seconds", type=float, default=_USUAL.slowest_accept_seconds)
@click.option("--lease", "lease_seconds", type=float, default=_USUAL.lease_seconds, show_default=True)
@click.option("--polling-plan", default=" ".join(map(str, _USUAL.polling_plan_seconds)), show_default=True)
@click.option("--report-horizon", "report_horizon_seconds", type=int, default=_USUAL.report_horizon_seconds)
@click.option("--inbound-every", "inbound_every_seconds", type=int, default=_USUAL.inbound_every_seconds)
@click.option("--lookup-after", "lookup_after_seconds", type=float, default=_USUAL.lookup_after_seconds)
@click.option(
    "--setting", "setting_words", multiple=True, metavar="NAME=VALUE", help="One of the adapter's own; may be repeated."
)
@click.option("--on-absent", type=click.Choice([str(choice) for choice in OnAbsent]), default="park", show_default=True)
@json_option
@with_appcontext
def gateway_add(
    *,
    operator_code: str,
    adapter: str,
    credential_words: tuple[str, ...],
    credentials_file: Path | None,
    polling_plan: str,
    on_absent: str,
    setting_words: tuple[str, ...],
    as_json: bool,
    **limits: Any,
) -> None:
    """Add an account of ours at an operator; its credentials are sealed with SEAL_KEY. All times are seconds."""
    with refusals(), transaction():
        values = limits | {"on_absent": OnAbsent(on_absent), "polling_plan_seconds": _plan(polling_plan)}
        values["own"] = _settings(adapter, _from_words(setting_words))
        gateway_id = operations.add_gateway(
            operator_id=queries.operator_by_code(operator_code).id,
            adapter=adapter,
            settings=GatewaySettings(**values),
            credentials=_from_file(credentials_file) | _from_words(credential_words),
            seal_key=settings().seal_key,
            by=PANEL,
            at=clock.now(),
        )
    tell({"gateway_id": gateway_id, "name": limits["name"]}, as_json)


def _settings(adapter: str, given: dict[str, str]) -> dict[str, str]:
    known = [each.name for each in queries.adapter_class(adapter).setting_fields]
    for name in given:
        if name not in known:
            raise click.BadParameter(f"{adapter} knows {', '.join(known) or 'none'}", param_hint="--setting")
    return given


def _plan(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.replace(",", " ").split())
    except ValueError:
        raise click.BadParameter("whole seconds separated by blanks", param_hint="--polling-plan") from None


def _from_words(words: tuple[str, ...]) -> dict[str, str]:
    if not all("=" in word for word in words):
        raise click.BadParameter("credentials and settings are given as NAME=VALUE")
    return {name.strip(): value for name, _, value in (word.partition("=") for word in words)}


def _from_file(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
        found = json.loads(text) if text.startswith("{") else _from_words(tuple(text.splitlines()))
    except (ValueError, click.BadParameter):
        raise Refusal(UNREADABLE_FILE) from None
    if not all(isinstance(value, str) for value in found.values()):
        raise Refusal(UNREADABLE_FILE)
    return dict(found)


@click.command("gateway-test")
@click.argument("name")
@json_option
@with_appcontext
def gateway_test(name: str, as_json: bool) -> None:
    """Ask the operator of gateway NAME for our balance; nothing is sent. Exit code 1 when that fails."""
    with refusals():
        way = queries.any_gateway(queries.gateway_by_name(name).id)
        release()
        checked = operations.ask_balance(way, seal_key=settings().seal_key)
        with transaction():
            operations.note_checked(checked, at=clock.now())
        if checked.error is not None:
            raise explained(checked.error)
    tell({"gateway_id": way.id, "balance_mrial": checked.balance_mrial}, as_json)


@click.command("gateway-switch")
@click.argument("name")
@click.argument("state", type=click.Choice(["on", "off", "resume"]))
@json_option
@with_appcontext
def gateway_switch(name: str, state: str, as_json: bool) -> None:
    """Switch gateway NAME on or off, or resume it after it stopped."""
    with refusals():
        with transaction():
            gateway_id = queries.gateway_by_name(name).id
            if state == "resume":
                operations.resume(gateway_id=gateway_id, by=PANEL, at=clock.now())
            else:
                operations.switch(gateway_id=gateway_id, is_on=state == "on", by=PANEL, at=clock.now())
        now = queries.gateway(gateway_id).state
    tell({"gateway_id": gateway_id, "state": str(now)}, as_json)


COMMANDS: tuple[click.Command, ...] = (operator_add, gateway_add, gateway_test, gateway_switch)
