"""A short text as it is meant: «لغو۱۱», "لغو 11" and "لغو\\u200c۱۱" are one."""

import unicodedata

_LETTERS = str.maketrans("يىكةۀأإٱ۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "ییکههااا01234567890123456789")
_STRETCH = "\u0640"  # draws an Arabic word out
_UNSEEN = {"Cf", "Mn", "Me"}  # joiners and direction marks, and vowel signs


def folded(text: str) -> str:
    """Letters and digits in one spelling, without blanks, joiners, marks and what stands around or between them; but
    what parts two digits parts them still, as 1-1 is not 11."""
    found: list[str] = []
    is_parted = False
    for letter in unicodedata.normalize("NFKC", text).translate(_LETTERS).casefold():
        if letter == _STRETCH or unicodedata.category(letter) in _UNSEEN:
            continue
        if not letter.isalnum():
            is_parted = True
            continue
        if is_parted and letter.isdecimal() and found and found[-1].isdecimal():
            found.append(" ")
        found.append(letter)
        is_parted = False
    return "".join(found)
