"""What every command for scripts shares: answers as JSON or as lines, refusals as one sentence and exit code 1."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from sms.core.errors import SmsError

Function = Callable[..., Any]


def json_option(function: Function) -> Function:
    """Adds `--json`, given to the command as `as_json`."""
    option: Callable[[Function], Function] = click.option(
        "--json", "as_json", is_flag=True, help="Answer with one JSON object."
    )
    return option(function)


def tell(answer: Mapping[str, object], as_json: bool) -> None:
    """Print an answer: one JSON object, or a line a fact."""
    if as_json:
        tell_line(answer)
        return
    for name, value in answer.items():
        click.echo(f"{name}: {value if isinstance(value, str | int | float) else _json(value)}")


def tell_line(answer: Mapping[str, object]) -> None:
    """Print one JSON object on one line."""
    click.echo(_json(answer))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the panel refuses into a sentence on standard error and exit code 1."""
    try:
        yield
    except SmsError as error:
        raise click.ClickException(str(error)) from None
