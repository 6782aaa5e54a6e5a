"""R, the raw reference of a run: what PostgreSQL alone does with as many rows, over one connection, on this very
machine.

R = messages a second of three things together: COPY of the messages with the product's indexes,
    one UPDATE of each by id,
one UPDATE of each by the operator's reference, a thousand a statement."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

_STATEMENT_ROWS = 1_000
_TABLE = """
DROP TABLE IF EXISTS bench_reference;
CREATE TABLE bench_reference (
    id bigint PRIMARY KEY, account_id bigint, campaign_id bigint, batch_id bigint, price_mrial bigint,
        cost_mrial bigint,
    final_at timestamptz, recipient bigint, line_id integer, row_number integer, network_id smallint, parts smallint,
    outcome outbox_outcome, operator_ref text
) WITH (fillfactor = 50);
CREATE INDEX ON bench_reference (account_id, id);
CREATE INDEX ON bench_reference (account_id, recipient, id);
CREATE INDEX ON bench_reference (operator_ref);
"""


@dataclass(frozen=True, slots=True)
class Reference:
    """Seconds of each of the three for `rows` rows."""

    rows: int
    copy_seconds: float
    by_id_seconds: float
    by_ref_seconds: float

    @property
    def per_second(self) -> float:
        """R: messages a second."""
        return self.rows / (self.copy_seconds + self.by_id_seconds + self.by_ref_seconds)

    @property
    def update_per_second(self) -> float:
        """The raw batch update alone."""
        return self.rows / self.by_ref_seconds


def measure(database_url: str, *, rows: int) -> Reference:
    """Take R with `rows` rows."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_TABLE)
        started = time.perf_counter()
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "COPY bench_reference (id, account_id, campaign_id, batch_id, price_mrial, cost_mrial, recipient, "
                "line_id,"
                " row_number, network_id, parts) FROM STDIN"
            ) as copy,
        ):
            for block in _blocks(rows):
                copy.write(block)
        copied = time.perf_counter()
        for low in range(0, rows, _STATEMENT_ROWS):
            ids = list(range(low, min(low + _STATEMENT_ROWS, rows)))
            connection.execute(
                "UPDATE bench_reference b SET operator_ref = n.ref FROM unnest(%s::bigint[], %s::text[]) AS n (id, ref)"
                " WHERE b.id = n.id",
                [ids, [f"r{number}" for number in ids]],
            )
        by_id = time.perf_counter()
        for low in range(0, rows, _STATEMENT_ROWS):
            refs = [f"r{number}" for number in range(low, min(low + _STATEMENT_ROWS, rows))]
            connection.execute(
                "UPDATE bench_reference b SET outcome = 'delivered', final_at = now() FROM unnest(%s::text[]) AS n "
                "(ref)"
                " WHERE b.operator_ref = n.ref",
                [refs],
            )
        ended = time.perf_counter()
        connection.execute("DROP TABLE bench_reference")
    return Reference(rows, copied - started, by_id - copied, ended - by_id)


def _blocks(rows: int) -> Iterator[str]:
    for low in range(0, rows, 10_000):
        yield "".join(
            f"{number}\t1\t1\t{number // 100}\t1390000\t1050000\t{989120000000 + number}\t1\t{number}\t1\t1\n"
            for number in range(low, min(low + 10_000, rows))
        )
