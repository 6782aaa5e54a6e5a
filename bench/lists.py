"""P3 and P4: a list of a million rows, from the file to messages that are priced, held and committed."""

from bench import ingest
from bench.figures import Figure


def measure(rows: int) -> list[Figure]:
    """Take a CSV and an XLSX of `rows` rows in."""
    return [ingest.csv_million(rows=rows), ingest.xlsx_million(rows=rows)]
