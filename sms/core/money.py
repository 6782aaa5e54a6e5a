"""Money is a whole number of milli-rial: tariffs have fractions of a rial, floats have none of our trust."""

from decimal import Decimal, InvalidOperation

from sms.core.errors import SmsError
from sms.core.text import N_

MRIAL_PER_RIAL = 1000
RIAL_PER_TOMAN = 10
_LIMIT_MRIAL = 10**17
_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩٫٬", "01234567890123456789.,")


class NotMoney(SmsError):
    """The text is not an amount of money."""


def from_rial(rial: int | Decimal) -> int:
    """Milli-rial of an amount in rial; exact, raises NotMoney for anything finer than a milli-rial."""
    mrial = Decimal(rial) * MRIAL_PER_RIAL
    if mrial != int(mrial):
        raise NotMoney(N_("An amount has at most three digits after the point."))
    return int(mrial)


def parse_rial(text: str) -> int:
    """Milli-rial of what a person typed in rial: Persian digits, separators and a sign are fine."""
    cleaned = text.translate(_DIGITS).replace(",", "").replace("_", "").replace(" ", "").strip()
    try:
        rial = Decimal(cleaned)
    except InvalidOperation:
        raise NotMoney(N_("“%(text)s” is not an amount."), text=text[:40]) from None
    if not rial.is_finite() or abs(rial) * MRIAL_PER_RIAL > _LIMIT_MRIAL:
        raise NotMoney(N_("“%(text)s” is not an amount."), text=text[:40])
    return from_rial(rial)


def share(amount_mrial: int, *, percent: int) -> int:
    """`percent` of an amount, rounded down to a whole milli-rial: a refund is never more than its charge."""
    return amount_mrial * percent // 100
