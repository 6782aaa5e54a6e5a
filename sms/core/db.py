"""The database handle, the typed model base and the one way to commit."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from flask import Flask, Response, current_app, g, request
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, CursorResult, DateTime, MetaData, Row, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column

from sms.core.config import Settings

APPLICATION_ROLE = "payamgah_app"
_HOOKS = "after_commit"

Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Big = Annotated[int, mapped_column(BigInteger)]
Mrial = Annotated[int, mapped_column(BigInteger)]


class Base(DeclarativeBase):
    """Typed declarative base; constraint names are stated so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)
migrate = Migrate(db=db, directory="sms/migrations")

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


def init_app(app: Flask, settings: Settings) -> None:
    """Bind the handle: sessions run as the restricted role, so append-only tables stay append-only."""
    app.config["SQLALCHEMY_DATABASE_URI"] = driver_url(settings.database_url)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_size": 10,
        "max_overflow": 10,
        "pool_pre_ping": True,
        "connect_args": {"options": f"-c role={APPLICATION_ROLE} -c timezone=UTC", "connect_timeout": 10},
    }
    db.init_app(app)
    migrate.init_app(app)
    app.after_request(_note_reading)
    app.teardown_appcontext(_end_reading)  # before the session is closed: what is registered last comes first


def _note_reading(response: Response) -> Response:
    g.has_only_read = request.method == "GET" and response.status_code < HTTPStatus.BAD_REQUEST
    return response


def _end_reading(_error: BaseException | None = None) -> None:
    """A page that only read ends by COMMIT: at a ROLLBACK psycopg forgets what it has prepared, and the server would
    plan every statement of every page anew."""
    session = db.session()
    has_changed = bool(session.new or session.dirty or session.deleted)
    if g.get("has_only_read", False) and not has_changed:
        session.expire_on_commit = False  # a list that streams still tells of what was read
        with suppress(SQLAlchemyError):  # what is answered is answered; a connection that broke is thrown away
            session.commit()


def driver_url(url: str) -> str:
    """A plain `postgresql://` address as SQLAlchemy's psycopg 3 dialect wants it."""
    return url.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1)


@contextmanager
def transaction() -> Iterator[Session]:
    """Commit what is written inside, then run what `after_commit` was given; roll back and forget on any error."""
    session = db.session()
    hooks: list[Callable[[], None]] = []
    if _HOOKS in session.info:
        raise RuntimeError("transactions do not nest")
    session.info[_HOOKS] = hooks
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        del session.info[_HOOKS]
    for hook in hooks:
        hook()


def after_commit(hook: Callable[[], None]) -> None:
    """Run `hook` once the surrounding transaction is committed, never before and never without it."""
    hooks: list[Callable[[], None]] | None = db.session().info.get(_HOOKS)
    if hooks is None:
        raise RuntimeError("after_commit outside of a transaction")
    hooks.append(hook)


def apart(work: Callable[[], None]) -> Callable[[], None]:
    """The same work, for another thread: there it has a session of its own."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def run() -> None:
        with app.app_context():
            work()

    return run


def release() -> None:
    """End the reading transaction, so that nothing is held open while something slow is done."""
    db.session.rollback()


def rows(sql: str, /, **params: object) -> Sequence[Row[Any]]:
    """Run one SQL statement and return its rows."""
    return db.session.execute(_text(sql), params).all()


def row(sql: str, /, **params: object) -> Row[Any] | None:
    """Run one SQL statement that yields one row at most."""
    return db.session.execute(_text(sql), params).one_or_none()


def scalar(sql: str, /, **params: object) -> Any:
    """Run one SQL statement and return its first column of its first row, or None."""
    return db.session.execute(_text(sql), params).scalar()


def execute(sql: str, /, **params: object) -> int:
    """Run one SQL statement and return how many rows it touched."""
    result = db.session.execute(_text(sql), params)
    return result.rowcount if isinstance(result, CursorResult) else 0


def bulk(sql: str, /, **params: object) -> list[tuple[Any, ...]]:
    """Run one SQL statement and return its rows as the driver makes them, plain tuples: for what there is one of for
    each message, at a fifth of the price of `rows`."""
    result = db.session.execute(_text(sql), params)
    if not isinstance(result, CursorResult) or result.cursor is None:
        raise RuntimeError("a statement that returns no rows")
    found = list(result.cursor.fetchall())
    result.close()
    return found


def array(values: Iterable[object]) -> str:
    """Values that need no quotes (numbers, words of ours, ISO moments) as PostgreSQL writes an array, to be CAST in the
    statement: at an eighth of the price of a list."""
    return f"{{{','.join(map(str, values))}}}"


_text = lru_cache(maxsize=1024)(text)  # reading the places out of a statement costs more than to look it up


def copy_in(table: str, columns: Sequence[str], chunks: Iterable[str | bytes]) -> None:
    """COPY ready-made text-format lines into `table`, inside the current transaction."""
    connection = db.session.connection().connection.driver_connection
    if connection is None:
        raise RuntimeError("no database connection")
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for chunk in chunks:
            copy.write(chunk)


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": ""})


def copy_text(value: str) -> str:
    """One text value in COPY's text format."""
    return value if value.isalnum() else value.translate(_ESCAPES)
