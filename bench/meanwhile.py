"""P8: one message while another account's long list goes over the same bind, from the press of the button to the
operator's door."""

import time
from dataclasses import dataclass

from flask import current_app

from bench.checks import verify
from bench.figures import Figure, percentile
from bench.running import panel, simulator, started, wait_for
from bench.shop import Shop, accept, draft, open_shop, recipients, smpp
from bench.visits import Reader
from bench.whole import ENDED, PROGRAMS, begin, campaign_is, check_truth
from deploy.throwaway import ThrowAwayPanel
from sms.core import clock
from sms.core.db import execute, transaction
from sms.outbox.operations.accept import accept_draft
from sms.outbox.rules import Priority

_PAUSE_SECONDS = 0.2
_MOST, _LEAST = 400, 6
_ROWS_EACH = 2_500  # of the long list, for one that goes beside it


@dataclass(frozen=True, slots=True)
class _Pressed:
    """One message: whom it is for and when its button was pressed, in seconds of the clock."""

    recipient: int
    at: float


def measure(rows: int) -> list[Figure]:
    """Send to `rows` recipients, and meanwhile to single ones, every other of them in the queue for one-time
    passwords."""
    programs = panel()
    shop = open_shop(smpp(programs.settings["SIMULATOR_SMPP_URL"]), others=1)
    count = max(_LEAST, min(_MOST, rows // _ROWS_EACH))
    long_draft = draft(shop.as_other(0), rows)
    singles = [
        (draft(shop, 1, skip=rows + place), recipient) for place, recipient in enumerate(recipients(count, skip=rows))
    ]
    reader = Reader(current_app._get_current_object())  # type: ignore[attr-defined]
    with started(programs, *PROGRAMS):
        begin(programs, shop)
        reader.open("/")  # what is slow at the first time is not what is measured
        campaign_id = accept(shop.as_other(0), long_draft)
        pressed, hurried, meanwhile = _press(reader, shop, singles, campaign_id)
        wait_for(lambda: campaign_is(campaign_id, ENDED), what="the campaign's end")
        check_truth(programs, shop, rows + len(pressed) + len(hurried))
        waited = _waited(programs, shop, pressed), _waited(programs, shop, hurried)
    verify()
    return _figures(rows, *waited, meanwhile)


def _press(
    reader: Reader, shop: Shop, singles: list[tuple[int, int]], campaign_id: int
) -> tuple[list[_Pressed], list[_Pressed], int]:
    """Those of the usual queue, those of the hurried one, and how many were pressed before the long list was over."""
    pressed: list[_Pressed] = []
    hurried: list[_Pressed] = []
    meanwhile = 0
    for place, (draft_id, recipient) in enumerate(singles):
        is_over = campaign_is(campaign_id, "submitted_at IS NOT NULL")
        if is_over and place >= _LEAST:
            break
        meanwhile += not is_over
        at = time.time()
        if place % 2:
            _hurry(shop, draft_id)
            hurried.append(_Pressed(recipient, at))
        else:
            reader.confirm(draft_id)
            pressed.append(_Pressed(recipient, at))
        time.sleep(_PAUSE_SECONDS)
    return pressed, hurried, meanwhile


def _hurry(shop: Shop, draft_id: int) -> None:
    """Confirm it as a one-time password."""
    with transaction():
        campaign_id = accept_draft(draft_id=draft_id, account_id=shop.account_id, user_id=shop.user_id, at=clock.now())
        execute(
            "UPDATE outbox_batch SET priority = :otp WHERE campaign_id = :id", otp=int(Priority.OTP), id=campaign_id
        )


def _waited(programs: ThrowAwayPanel, shop: Shop, pressed: list[_Pressed]) -> list[float]:
    """Milliseconds from each press until the operator had it."""
    code = shop.operator_code
    found = [
        simulator(programs, f"/truth?operator={code}&recipient={each.recipient}&since={each.at}")[code]
        for each in pressed
    ]
    return [(told["accepted_at"] - each.at) * 1000 for each, (told,) in zip(pressed, found, strict=True)]


def _figures(rows: int, usual: list[float], hurried: list[float], meanwhile: int) -> list[Figure]:
    return [
        Figure(
            code="P8",
            work=f"one message beside {rows:,} of another account, 99 of 100",
            value=percentile(usual, 99),
            unit="ms",
            target=2_000,
            is_ceiling=True,
            notes=[
                f"{len(usual) + len(hurried)} messages, {meanwhile} of them while the long list was being sent; median"
                f" {percentile(usual, 50):.0f} ms, in the queue for one-time passwords {percentile(hurried, 50):.0f} ms"
            ],
        ),
        Figure(
            code="P8",
            work="the same in the queue for one-time passwords, 99 of 100",
            value=percentile(hurried, 99),
            unit="ms",
            target=500,
            is_ceiling=True,
        ),
    ]
