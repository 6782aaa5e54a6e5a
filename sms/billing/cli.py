"""Commands for scripts: the same operations as the pages."""

import click

COMMANDS: tuple[click.Command, ...] = ()
