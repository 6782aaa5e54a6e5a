"""The process that keeps the timetable: `python -m jobs.tick`."""

import logging
import signal
import time
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from app import create_app
from jobs.timetable import tick
from sms.core.db import db

log = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.5


def main() -> None:
    """Tick until told to stop; a database that is away is waited for."""
    stopping = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with create_app().app_context():
        while not stopping:
            try:
                tick()
            except SQLAlchemyError as error:
                log.warning("no tick: %s", type(error).__name__)
            finally:
                db.session.remove()
            time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    main()
