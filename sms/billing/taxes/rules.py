"""What the state takes, and how it is rounded. Plain Python: amounts in milli-rial, shares in thousandths."""

from enum import StrEnum

from sms.core.money import MRIAL_PER_RIAL
from sms.core.text import N_

WHOLE = 1000
MOST_LEVY_MRIAL = 10**8  # a hundred thousand rial a part: more is a slip of the finger
LONGEST_NOTE = 300


class TaxKind(StrEnum):
    """VAT on what is paid in, and a levy on each part that is sent."""

    VAT = "vat"
    LEVY = "levy"


TAX_LABELS: dict[str, str] = {TaxKind.VAT: N_("VAT"), TaxKind.LEVY: N_("Levy a part")}


def vat_on(net_mrial: int, *, permille: int) -> int:
    """The VAT on top of a net amount, rounded to a whole rial (half of one upwards): nobody can pay less."""
    return (net_mrial * permille + WHOLE * MRIAL_PER_RIAL // 2) // (WHOLE * MRIAL_PER_RIAL) * MRIAL_PER_RIAL


def vat_within(total_mrial: int, *, permille: int) -> int:
    """The VAT that an amount with VAT holds, rounded to a whole rial (half of one downwards); with the rest it is the
    amount."""
    divisor = (WHOLE + permille) * MRIAL_PER_RIAL
    return (total_mrial * permille + (divisor - 1) // 2) // divisor * MRIAL_PER_RIAL


def percent_text(permille: int) -> str:
    """Thousandths as a percentage without its sign: 10, 12.5."""
    whole, rest = divmod(permille, 10)
    return f"{whole}.{rest}" if rest else str(whole)
