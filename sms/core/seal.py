"""Seals small secrets under a key that is kept outside the database: who reads the database alone learns nothing.

A sealed value is: one byte of format, four that name the key, twelve of nonce, then AES-256-GCM of the JSON. The name
of the key tells "sealed with another key" from "altered"; a second format can stand beside the first when keys rotate.
"""

import json
import secrets
from collections.abc import Mapping
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sms.core.errors import SmsError
from sms.core.text import N_

_FORMAT = b"\x01"
_NAME_BYTES, _NONCE_BYTES, _KEY_BYTES = 4, 12, 32
_HEAD_BYTES = len(_FORMAT) + _NAME_BYTES
_START = _HEAD_BYTES + _NONCE_BYTES
_PURPOSE = b"payamgah sealed values 1"

OTHER_KEY = N_("These credentials were sealed with another key; enter them again.")
ALTERED = N_("The stored credentials are damaged; enter them again.")


class CannotUnseal(SmsError):
    """Sealed with another key, or not as it was sealed."""


def seal(values: Mapping[str, str], *, seal_key: str) -> bytes:
    """Seal named secrets; the same values never look alike twice."""
    name, key = _derived(seal_key)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    plain = json.dumps(dict(values), ensure_ascii=False).encode()
    head = _FORMAT + name
    return head + nonce + AESGCM(key).encrypt(nonce, plain, head)


def unseal(sealed: bytes, *, seal_key: str) -> dict[str, str]:
    """What was sealed; raises CannotUnseal when the key is another one or a bit has changed."""
    name, key = _derived(seal_key)
    head, nonce, hidden = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES:_START], sealed[_START:]
    if head[:1] != _FORMAT or len(nonce) < _NONCE_BYTES:
        raise CannotUnseal(ALTERED)
    if head[1:] != name:
        raise CannotUnseal(OTHER_KEY)
    try:
        plain = AESGCM(key).decrypt(nonce, hidden, head)
    except InvalidTag:
        raise CannotUnseal(ALTERED) from None
    return {str(field): str(value) for field, value in json.loads(plain).items()}


@lru_cache(maxsize=4)
def _derived(seal_key: str) -> tuple[bytes, bytes]:
    """The name and the key that a setting stands for."""
    derived = HKDF(SHA256(), _NAME_BYTES + _KEY_BYTES, salt=None, info=_PURPOSE).derive(seal_key.encode())
    return derived[:_NAME_BYTES], derived[_NAME_BYTES:]
