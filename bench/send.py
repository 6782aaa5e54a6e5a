"""P2 and the larger half of P11: whole campaigns over Magfa HTTP, from the hold to the last refund."""

from bench.figures import Figure
from bench.running import panel
from bench.shop import magfa, open_shop
from bench.whole import send

_LARGER = 5  # times the first send: does any process grow with the list?
_MB_FLAT = 1.2  # what an allocator's leftovers may add


def measure(rows: int) -> list[Figure]:
    """Send `rows` recipients, then five times as many."""
    programs = panel()
    shop = open_shop(magfa(programs.settings["SIMULATOR_URL"]))
    small, large = send(programs, shop, rows), send(programs, shop, rows * _LARGER)
    grown = max(large.peaks[name] / small.peaks[name] for name in ("accepting", "worker"))
    return [
        Figure(
            code="P2",
            work="send to refund over Magfa HTTP",
            value=small.per_second,
            unit="messages/s",
            target=0.6,
            share_of="messages",
            notes=[*small.notes(), f"at {large.rows:,}: {large.per_second:,.0f} messages/s"],
        ),
        Figure(
            code="P11",
            work=f"largest panel process sending {large.rows:,}",
            value=max(large.peaks[name] for name in ("accepting", "worker", "tick")),
            unit="MB",
            target=250,
            is_ceiling=True,
            notes=large.notes(),
        ),
        Figure(
            code="P11",
            work=f"its growth from {small.rows:,} recipients",
            value=grown,
            unit="times",
            target=_MB_FLAT,
            is_ceiling=True,
        ),
    ]
