"""Any list of recipients: what it is is told by its first bytes, never by its name."""

from collections.abc import Iterator
from typing import BinaryIO

from sms.core.sheets.kinds import is_workbook
from sms.outbox.intake.rules.text_reader import Batch, read_text
from sms.outbox.intake.rules.xlsx_reader import read_xlsx


def read_list(stream: BinaryIO, *, is_typed: bool = False) -> Iterator[Batch]:
    """The cells of a list with their row numbers, as a stream; raises UnreadableList."""
    if is_typed:
        return read_text(stream, is_typed=True)
    return read_xlsx(stream) if is_workbook(stream) else read_text(stream)
