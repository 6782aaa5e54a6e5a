"""What the knobs do to an HTTP answer on its way back."""

from dataclasses import replace

from sms.simulator.desk import Desk
from sms.simulator.faults import GARBAGE
from sms.simulator.http import Reply


def spoilt(desk: Desk, reply: Reply, *, is_send: bool) -> Reply:
    """The answer as it leaves: whole nearly always, else cut off, late or garbage."""
    controls = desk.controls
    if is_send and desk.is_happening(controls.late_share):
        reply = replace(reply, delay_seconds=reply.delay_seconds + controls.late_seconds)
    if is_send and desk.is_happening(controls.cut_reply_share):
        return replace(reply, cut_at=0)
    if desk.is_happening(controls.garbage_share):
        kind = desk.random.choice(controls.garbage_kinds)
        return replace(GARBAGE[kind](reply), delay_seconds=reply.delay_seconds)
    return reply
