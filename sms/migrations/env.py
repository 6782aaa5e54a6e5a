"""Runs the migrations as the owner of the database, under a lock so that two starts cannot meet."""

from alembic import context
from sqlalchemy import Connection, create_engine, text

from sms.core.config import settings
from sms.core.db import Base, driver_url

_LOCK = 815_493_001


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()


def _run_alone() -> None:
    engine = create_engine(driver_url(settings().database_url))
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        connection.commit()
        _run(connection)
        connection.commit()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
        connection.commit()
    engine.dispose()


given = context.config.attributes.get("connection")  # of somebody who has the lock, inside a transaction of theirs
if given is None:
    _run_alone()
else:
    _run(given)
