"""P1: a whole campaign over one SMPP bind, from the hold to the last refund."""

from bench.figures import Figure
from bench.running import panel
from bench.shop import open_shop, smpp
from bench.whole import send

_CPU_US = 80


def measure(rows: int) -> list[Figure]:
    """Send to `rows` recipients."""
    programs = panel()
    sent = send(programs, open_shop(smpp(programs.settings["SIMULATOR_SMPP_URL"])), rows)
    return [
        Figure(
            code="P1",
            work="send to refund over SMPP",
            value=sent.per_second,
            unit="messages/s",
            target=1.0,
            share_of="messages",
            notes=sent.notes(),
        ),
        Figure(
            code="P1",
            work="its CPU a message, over all processes",
            value=sent.cpu_us,
            unit="µs",
            target=_CPU_US,
            is_ceiling=True,
        ),
    ]
