"""Cells of a CSV file, written so that every spreadsheet shows them as the text they are."""

BOM = "\ufeff"  # by it Excel knows that the file is UTF-8

# What a spreadsheet takes for the beginning of a formula, also behind blanks, quotes and separators.
_FORMULA = frozenset("=+-@\t\r＝＋－＠")
_SKIPPED_BEFORE = " \"';,\u00a0\u200b\u200e\u200f\ufeff"


def cell(text: str) -> str:
    """One quoted cell that no spreadsheet takes for a formula."""
    text = text.replace("\0", "")
    meant = text.lstrip(_SKIPPED_BEFORE)
    if text[:1] in _FORMULA or meant[:1] in _FORMULA:
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"'
