"""Who acts: a user of the installation, or the panel by itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does it: a user of the installation, or None for the panel itself, and from which address."""

    id: int | None = None
    address: str = ""


PANEL = Actor()
