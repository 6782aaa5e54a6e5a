"""The addresses that operators push their reports to. Public, so everything is bounded; what is answered with 200 is
committed."""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Condition

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from sms.core import clock
from sms.core.db import release, transaction
from sms.core.web.forms import csrf
from sms.core.web.guards import public
from sms.core.web.machines import Allowance, payload, told
from sms.operators.contract import Report
from sms.operators.push.queries import Push, push
from sms.operators.push.rules import is_from, is_right
from sms.outbox.operations import pushed

log = logging.getLogger(__name__)
bp = Blueprint("outbox_webhooks", __name__)
csrf.exempt(bp)  # an operator has no session, and the address itself is the secret

_KNOWN_SECONDS = 1.0  # so long may an address still work after it was closed
_MOST_KNOWN = 1_000
_GATHER_SECONDS = 0.004


REPORTS = Allowance(per_second=5_000, burst=100_000)  # by gateway
MISTAKES = Allowance(per_second=1, burst=30)  # wrong secrets, by the address they come from


class NotKept(RuntimeError):
    """The process ended before the reports were committed."""


@dataclass(slots=True)
class _Waiting:
    """One request's reports on their way to the disk."""

    gateway_id: int
    reports: Sequence[Report]
    is_done: bool = False
    error: Exception | None = None


@dataclass(slots=True)
class Gatherer:
    """Commits what the requests of this process bring at the same time in one transaction: one flush to the disk serves
    them all, and the worker gets fewer and larger sets. Each request returns after the commit that holds its own."""

    _changed: Condition = field(default_factory=Condition)
    _waiting: list[_Waiting] = field(default_factory=list)
    _is_storing: bool = False
    _is_crowded: bool = False

    def keep(self, gateway_id: int, reports: Sequence[Report]) -> None:
        """Returns when they are committed; raises what hindered it."""
        mine = _Waiting(gateway_id, reports)
        with self._changed:
            self._waiting.append(mine)
            while self._is_storing and not mine.is_done:
                self._changed.wait()
            if not mine.is_done:
                self._is_storing = True
        if not mine.is_done:
            self._store(self._gathered())
        if mine.error is not None:
            raise mine.error

    def _gathered(self) -> Sequence[_Waiting]:
        """What waits now; where several came together the last time, those on their way are waited for a moment."""
        if self._is_crowded:
            time.sleep(_GATHER_SECONDS)
        with self._changed:
            together, self._waiting = self._waiting, []
        self._is_crowded = len(together) > 1
        return together

    def _store(self, together: Sequence[_Waiting]) -> None:
        error: Exception | None = NotKept("the process was told to end")
        try:
            _commit(together)
            error = None
        except Exception as caught:
            error = caught
        finally:  # whatever happened, nobody is left waiting, and nobody told that his reports are kept
            with self._changed:
                for each in together:
                    each.is_done, each.error = True, error
                self._is_storing = False
                self._changed.notify_all()


def _commit(together: Sequence[_Waiting]) -> None:
    told: dict[int, list[Report]] = defaultdict(list)
    for each in together:
        told[each.gateway_id].extend(each.reports)
    with transaction():
        pushed.keep(told, at=clock.now())


_gatherer = Gatherer()
_known: dict[int, tuple[float, Push | None]] = {}


def _gateway(gateway_id: int, token: str) -> Push | None:
    """The gateway this is the address of. What is known of it is a second old at most; a secret that does not fit is
    looked at anew, so that one just made works at once."""
    until, found = _known.get(gateway_id, (0.0, None))
    if until > time.monotonic() and found is not None and is_right(token, found.token_hash):
        return found
    found = push(gateway_id)
    release()
    if not is_right(token, found.token_hash if found is not None else None):
        return None
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[gateway_id] = (time.monotonic() + _KNOWN_SECONDS, found)
    return found


@bp.route("/hooks/<int:gateway_id>/<string:token>/reports", methods=["GET", "POST"])
@public
def reports(gateway_id: int, token: str) -> ResponseReturnValue:
    """Take reports: 200 once they are committed; 404 for a wrong secret, 403 for a stranger's address, 400 when nothing
    could be read, 429 when it is too much. Asked without any field, the address answers that it is there."""
    address = request.remote_addr or ""
    gateway = _gateway(gateway_id, token)
    if gateway is None or gateway.parse is None:
        return told("not found", 404) if MISTAKES.takes(address) else told("too many mistakes", 429)
    if not is_from(gateway.addresses, address):
        log.warning("gateway %s: a push from an address that is not on its list", gateway_id)
        return told("address not allowed", 403)
    said = payload()
    if not said and request.method != "POST":
        return told("ready")
    if not REPORTS.takes(gateway_id, 0):
        return told("too fast", 429)
    found = gateway.parse(said)
    REPORTS.takes(gateway_id, max(1, len(found)))
    if not found:
        log.warning("gateway %s: a push without a readable report", gateway_id)
        return told("no report found", 400)
    _gatherer.keep(gateway_id, found)
    return told("ok")
