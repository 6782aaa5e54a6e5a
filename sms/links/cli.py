"""Commands for scripts: the same operations as the pages."""

from datetime import timedelta

import click
from flask.cli import with_appcontext

from sms.accounts.queries import user_by_name
from sms.core import clock
from sms.core.actor import PANEL, Actor
from sms.core.console import json_option, refusals, tell
from sms.core.db import transaction
from sms.links import operations, queries
from sms.links.rules.domains import Verdict
from sms.links.rules.links import NewLink
from sms.links.rules.targets import UTM_NAMES


@click.command("link-add")
@click.option("--as", "username", required=True, help="User name of the customer it belongs to.")
@click.option("--target", required=True, help="The long address.")
@click.option("--title", default="", help="A title for the customer's own lists.")
@click.option("--days", type=int, help="It expires after so many days; never when left out.")
@click.option("--utm", multiple=True, metavar="NAME=VALUE", help="A campaign parameter, as source=sms. Repeatable.")
@json_option
@with_appcontext
def link_add(*, username: str, target: str, title: str, days: int | None, utm: tuple[str, ...], as_json: bool) -> None:
    """Shorten an address."""
    at = clock.now()
    with refusals(), transaction():
        user = user_by_name(username)
        wanted = NewLink(
            target=target,
            title=title,
            utm=dict(_parameter(words) for words in utm),
            expires_at=at + timedelta(days=days) if days is not None else None,
        )
        link_id = operations.add_link(account_id=user.account_id, wanted=wanted, by=Actor(id=user.id), at=at)
        made = queries.link(user.account_id, link_id, at=at)
    tell({"link_id": link_id, "code": made.code, "address": made.address, "target": made.target}, as_json)


def _parameter(words: str) -> tuple[str, str]:
    name, equals, value = words.partition("=")
    full = name if name in UTM_NAMES else f"utm_{name}"
    if not equals or full not in UTM_NAMES:
        raise click.BadParameter("write it as source=sms", param_hint="--utm")
    return full, value


@click.command("link-domain")
@click.argument("domain")
@click.option("--verdict", type=click.Choice([str(each) for each in Verdict]), required=True)
@click.option("--note", default="", help="Why.")
@json_option
@with_appcontext
def link_domain(*, domain: str, verdict: str, note: str, as_json: bool) -> None:
    """Deny, trust or show first the links to a domain and all below it."""
    with refusals(), transaction():
        domain_id = operations.list_domain(domain=domain, verdict=Verdict(verdict), note=note, by=PANEL, at=clock.now())
    tell({"domain_id": domain_id, "verdict": verdict}, as_json)


COMMANDS: tuple[click.Command, ...] = (link_add, link_domain)
