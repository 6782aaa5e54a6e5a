"""What money moved for: each capability says of its own subjects how they are called, which rules stood behind what
was paid back, and where their page is. The ledger asks, and knows none of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """What a transfer is about, for its reader: the page it leads to, its name, and facts as (text, address or "")."""

    url: str = ""
    name: str = ""
    facts: Sequence[tuple[str, str]] = ()


Explain = Callable[[int, Sequence[Any]], Mapping[int, Cause]]
"""Of an account's lines of a statement (`transfer_id`, `kind`, `subject`): their causes by transfer id."""

NOTHING = Cause()
_explainers: dict[str, Explain] = {}


def explain(kind: str, explainer: Explain) -> None:
    """Who tells about subjects of a kind, such as `campaign`."""
    _explainers[kind] = explainer


def causes(account_id: int, lines: Sequence[Any]) -> dict[int, Cause]:
    """By transfer id, what these lines of an account's statement are about; what nobody tells about is left out."""
    found: dict[int, Cause] = {}
    for kind, explainer in _explainers.items():
        if about := [line for line in lines if line.subject.kind == kind]:
            found |= explainer(account_id, about)
    return found
