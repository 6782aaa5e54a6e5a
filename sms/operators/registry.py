"""The one list of adapters: a new operator is a folder beside the others and a line here."""

from sms.core.errors import NotFound
from sms.core.text import N_
from sms.operators.adapters.kavenegar.adapter import Kavenegar
from sms.operators.adapters.magfa.adapter import Magfa
from sms.operators.adapters.smpp.adapter import Smpp
from sms.operators.contract import Access, Adapter

ADAPTERS: dict[str, type[Adapter]] = {adapter.code: adapter for adapter in (Magfa, Kavenegar, Smpp)}

NO_SUCH_ADAPTER = N_("There is no adapter called %(code)s.")


def build(code: str, access: Access) -> Adapter:
    """An adapter ready to talk; close it after use. Raises NotFound, or Unreachable for an unusable address."""
    if code not in ADAPTERS:
        raise NotFound(NO_SUCH_ADAPTER, code=code)
    return ADAPTERS[code](access)
