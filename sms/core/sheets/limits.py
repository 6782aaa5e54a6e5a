"""What a list of recipients may be at most, and the sentence that says so when it is more."""

from sms.core.errors import SmsError
from sms.core.text import N_

MEGABYTE = 1_000_000
MAX_FILE_BYTES = 50 * MEGABYTE
MAX_ROWS = 1_000_000
MAX_BLANK_ROWS = 1_000_000
MAX_COLUMNS = 100
MAX_CELL = 10_000  # characters
# A million rows of three columns are 190 MB of XML, of eight columns 500 MB. They are streamed: what counts is time.
MAX_UNPACKED_BYTES = 512 * MEGABYTE
MAX_STRINGS_BYTES = 200 * MEGABYTE  # the strings of a workbook, which must be kept in memory
MAX_RATIO = 200  # honest spreadsheets shrink to a tenth or a thirtieth


class UnreadableList(SmsError):
    """The list cannot be read, or is larger than allowed; the message tells the customer what to do."""


def empty() -> UnreadableList:
    """Nothing is in it."""
    return UnreadableList(N_("The list is empty."))


def too_large(most_bytes: int | None = None) -> UnreadableList:
    """More bytes than allowed."""
    return UnreadableList(
        N_("The file is larger than %(most)s MB. Split it into smaller files."),
        most=(most_bytes or MAX_FILE_BYTES) // MEGABYTE,
    )


def too_many_rows() -> UnreadableList:
    """More rows than allowed."""
    return UnreadableList(N_("The list has more than %(most)s rows. Split it into smaller files."), most=MAX_ROWS)


def too_wide(row: int) -> UnreadableList:
    """A row with more columns than allowed."""
    return UnreadableList(N_("Row %(row)s has more than %(most)s columns."), row=row, most=MAX_COLUMNS)


def too_long(row: int) -> UnreadableList:
    """A cell with more characters than allowed."""
    return UnreadableList(N_("Row %(row)s has a cell of more than %(most)s characters."), row=row, most=MAX_CELL)


def no_list() -> UnreadableList:
    """Some other kind of file."""
    return UnreadableList(N_("This file is no list. CSV, TXT and XLSX files can be read."))


def old_excel() -> UnreadableList:
    """Excel's format of before 2007."""
    return UnreadableList(N_("This is a file of an old Excel (.xls). Save it as XLSX or CSV and upload it again."))


def locked() -> UnreadableList:
    """A password is needed."""
    return UnreadableList(N_("The file is protected by a password. Take the password off and upload it again."))


def damaged() -> UnreadableList:
    """Begins like a workbook and is none."""
    return UnreadableList(N_("The file is damaged and cannot be read. Save it anew and upload it again."))


def bomb() -> UnreadableList:
    """Unpacks to more than an honest workbook."""
    return UnreadableList(N_("The file unpacks to far more than its size, so it was not read."))


def no_sheet() -> UnreadableList:
    """A workbook whose sheets are all hidden."""
    return UnreadableList(N_("The workbook has no visible sheet."))


def out_of_memory() -> UnreadableList:
    """The reader's memory limit was hit."""
    return UnreadableList(N_("Reading the file takes too much memory. Save it as CSV and upload it again."))


def out_of_time() -> UnreadableList:
    """The reader's time limit was hit."""
    return UnreadableList(N_("Reading the file takes too long. Save it as CSV and upload it again."))


def gone() -> UnreadableList:
    """The stored upload is not on this machine any more."""
    return UnreadableList(N_("The uploaded file is no longer there. Upload it again."))


def gave_up() -> UnreadableList:
    """The reader died with it again and again."""
    return UnreadableList(N_("The file could not be read. Save it as CSV and upload it again."))
