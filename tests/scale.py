"""How long the tests that could go on for ever go on: short beside all others, long with NIGHTLY=1 in the environment.

NIGHTLY=1 python -m pytest -n0 tests/ledger/test_ledger_model.py tests/outbox/test_tree_races.py
"""

import os

IS_NIGHTLY = bool(os.environ.get("NIGHTLY"))


def scaled(short: int, nightly: int) -> int:
    """One of the two."""
    return nightly if IS_NIGHTLY else short
