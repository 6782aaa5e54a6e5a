"""P12: whether a send over SMPP becomes slower with the messages that are already there."""

from datetime import timedelta

from bench.archive import Planned, Stage, write
from bench.figures import Figure
from bench.running import panel
from bench.shop import Shop, open_shop, smpp
from bench.whole import Sent, send
from deploy.throwaway import ThrowAwayPanel
from sms.core import clock

_SHARE = 20  # of what is stored already, one in so many is sent
_CAMPAIGN_ROWS = 100_000
_TIMES = 2  # sends before and after, of which the faster one counts
_MEANT_ROWS = 10_000  # a smaller send measures nothing; once is enough to see that it runs


def measure(rows: int) -> list[Figure]:
    """Send with nothing stored, store `rows` messages, send again."""
    programs = panel()
    shop = open_shop(smpp(programs.settings["SIMULATOR_SMPP_URL"]))
    size = max(1, rows // _SHARE)
    before = _fastest(programs, shop, size)
    _store(shop, rows)
    after = _fastest(programs, shop, size)
    return [
        Figure(
            code="P12",
            work=f"send over SMPP with {rows:,} messages stored, to one with none",
            value=after.per_second / before.per_second,
            unit="times",
            target=0.9,
            notes=[
                f"{size:,} messages: {before.per_second:,.0f}/s and {before.cpu_us:.0f} µs CPU each with nothing"
                f" stored, {after.per_second:,.0f}/s and {after.cpu_us:.0f} µs afterwards",
                *after.notes(),
            ],
        )
    ]


def _fastest(programs: ThrowAwayPanel, shop: Shop, size: int) -> Sent:
    times = _TIMES if size >= _MEANT_ROWS else 1
    return max((send(programs, shop, size) for _ in range(times)), key=lambda sent: sent.per_second)


def _store(shop: Shop, rows: int) -> None:
    """A year of campaigns, the last one yesterday."""
    campaign_rows = min(_CAMPAIGN_ROWS, rows)
    count = rows // campaign_rows
    now = clock.now()
    planned = [
        Planned(shop.account_id, campaign_rows, now - timedelta(days=1 + 364 * (count - place) / count))
        for place in range(1, count + 1)
    ]
    write(shop, planned, stage=Stage.CLOSED)
