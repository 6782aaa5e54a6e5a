"""When an account is warned that its money runs out. Plain Python: amounts in milli-rial."""


def is_low(*, balance_mrial: int, credit_limit_mrial: int, threshold_mrial: int) -> bool:
    """Whether less than the threshold can be spent still; nothing is ever low where none was set."""
    return threshold_mrial > 0 and balance_mrial + credit_limit_mrial < threshold_mrial
