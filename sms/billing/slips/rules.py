"""What a bank slip says and how it moves. Plain Python."""

import re
from datetime import date, timedelta
from enum import StrEnum

from sms.core.errors import SmsError
from sms.core.text import N_

MOST_A_DAY = 20
LONGEST_REASON = 300
LONGEST_TRACKING = 40
OLDEST = timedelta(days=366)
LEAST_MRIAL = 10_000_000  # ten thousand rial: less is no transfer of a bank
MOST_MRIAL = 10**14

_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_TRACKING = re.compile(r"[0-9A-Z]+")


class SlipState(StrEnum):
    """Whether somebody has looked at it, and what they found."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"


STATE_LABELS: dict[str, str] = {
    SlipState.WAITING: N_("Waits for approval"),
    SlipState.APPROVED: N_("Approved"),
    SlipState.REJECTED: N_("Rejected"),
}


class Bank(StrEnum):
    """Where money was paid in."""

    MELLI = "melli"
    MELLAT = "mellat"
    SADERAT = "saderat"
    TEJARAT = "tejarat"
    SEPAH = "sepah"
    MASKAN = "maskan"
    KESHAVARZI = "keshavarzi"
    REFAH = "refah"
    PASARGAD = "pasargad"
    PARSIAN = "parsian"
    SAMAN = "saman"
    EN = "en"
    AYANDEH = "ayandeh"
    SHAHR = "shahr"
    RESALAT = "resalat"
    POST = "post"
    OTHER = "other"


BANK_LABELS: dict[str, str] = {
    Bank.MELLI: N_("Bank Melli"),
    Bank.MELLAT: N_("Bank Mellat"),
    Bank.SADERAT: N_("Bank Saderat"),
    Bank.TEJARAT: N_("Tejarat Bank"),
    Bank.SEPAH: N_("Bank Sepah"),
    Bank.MASKAN: N_("Bank Maskan"),
    Bank.KESHAVARZI: N_("Bank Keshavarzi"),
    Bank.REFAH: N_("Refah Bank"),
    Bank.PASARGAD: N_("Bank Pasargad"),
    Bank.PARSIAN: N_("Parsian Bank"),
    Bank.SAMAN: N_("Saman Bank"),
    Bank.EN: N_("EN Bank"),
    Bank.AYANDEH: N_("Ayandeh Bank"),
    Bank.SHAHR: N_("City Bank"),
    Bank.RESALAT: N_("Resalat Bank"),
    Bank.POST: N_("Post Bank"),
    Bank.OTHER: N_("Another bank"),
}


class UnusableSlip(SmsError):
    """Something about a slip cannot be; `field` says what."""

    def __init__(self, field: str, message: str, **params: object) -> None:
        super().__init__(message, **params)
        self.field = field


def tracking_number(text: str) -> str:
    """A tracking number as it is compared: Latin digits and capitals, without blanks, dashes or leading zeros; raises
    UnusableSlip."""
    folded = "".join(mark for mark in text.translate(_DIGITS).upper() if mark not in " -/‌").lstrip("0")
    if not _TRACKING.fullmatch(folded) or len(folded) > LONGEST_TRACKING:
        raise UnusableSlip(
            "tracking", N_("A tracking number is made of digits and Latin letters; copy it from the slip.")
        )
    return folded


def check_day(paid_on: date, *, today: date) -> None:
    """Raise UnusableSlip for a day to come, or one too long ago."""
    if paid_on > today:
        raise UnusableSlip("paid_on", N_("This day is still to come."))
    if paid_on < today - OLDEST:
        raise UnusableSlip("paid_on", N_("This is more than a year ago; ask our staff."))


def check_amount(total_mrial: int) -> None:
    """Raise UnusableSlip for an amount no bank would transfer."""
    if total_mrial % 1000:
        raise UnusableSlip("amount", N_("State a whole number of rial."))
    if not LEAST_MRIAL <= total_mrial <= MOST_MRIAL:
        raise UnusableSlip("amount", N_("State the amount on the slip, ten thousand rial or more."))
