"""Named places where a process can be made to die, so that tests may see what every crash leaves behind.

CRASH_AT in the environment is either a name, or `name:3` for the third time this process comes by; or a folder of
tickets, one file each, named as its point and anything behind a dot (`claimed.1`): whoever comes by a point first takes
its ticket away and dies, or, when STOP stands in it, is stopped until somebody sends SIGCONT. In production the
variable means nothing.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

_SIGNALS = {"": signal.SIGKILL, "STOP": signal.SIGSTOP}


def armed(wanted: str) -> Callable[[str], None]:
    """What is called at every point while CRASH_AT says `wanted`."""
    if os.sep in wanted:
        folder = Path(wanted)
        return lambda point: _end(_ticket(folder, point))
    name, _, number = wanted.partition(":")
    passed: Counter[str] = Counter()

    def at_nth(point: str) -> None:
        passed[point] += 1
        if point == name and passed[point] == int(number or 1):
            _end("")

    return at_nth


def _ticket(folder: Path, point: str) -> str | None:
    """What stands in the ticket that was taken away; None when there is none."""
    for ticket in (folder / point, *sorted(folder.glob(f"{point}.*"))):
        try:
            words = ticket.read_text(encoding="utf-8")
            ticket.unlink()
        except FileNotFoundError:  # none, or somebody else was quicker
            continue
        return words.strip()
    return None


def _end(how: str | None) -> None:
    if how is not None:
        os.kill(os.getpid(), _SIGNALS[how])


def _pass_by(_point: str) -> None:
    """Nothing happens here."""


_wanted = os.environ.get("CRASH_AT", "")
# As everywhere, an installation that does not say what it is counts as production.
crash_point = armed(_wanted) if _wanted and os.environ.get("PAYAMGAH_MODE", "production") != "production" else _pass_by
