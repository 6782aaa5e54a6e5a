"""For addresses that machines call without a session: how much is let through, what they say, how they are answered."""

import time
from collections.abc import Mapping, Sequence
from threading import Lock

from flask import Response, request

_MOST_KNOWN = 1_000


class Allowance:
    """How much may be done of something: so much a second, `burst` at once after a pause. Counted in this process."""

    def __init__(self, *, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._lock = Lock()
        self._left: dict[object, tuple[float, float]] = {}

    def takes(self, key: object, amount: float = 1.0) -> bool:
        """Whether there is something left for this key; then the amount is taken off, even below nothing."""
        now = time.monotonic()
        with self._lock:
            if len(self._left) >= _MOST_KNOWN and key not in self._left:
                self._left.clear()
            left, since = self._left.get(key, (self._burst, now))
            left = min(self._burst, left + (now - since) * self._per_second)
            is_allowed = left > 0
            self._left[key] = (left - amount if is_allowed else left, now)
            return is_allowed


def told(word: str, status: int = 200) -> Response:
    """A plain answer for a machine; with 429 it says when to come again."""
    response = Response(word + "\n", status=status, mimetype="text/plain")
    if status == 429:  # noqa: PLR2004 - HTTP's own number
        response.headers["Retry-After"] = "5"
    return response


def payload() -> Mapping[str, Sequence[str]] | bytes:
    """What was said: the fields of the address and the form, each with all its values, or a body of JSON."""
    if request.is_json:
        return request.get_data(cache=False)
    fields: Mapping[str, list[str]] = request.values.to_dict(flat=False)
    # A body of no declared kind may still be JSON.
    return fields or request.get_data(cache=False)
