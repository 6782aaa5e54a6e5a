"""Sealed secrets: only the right key opens them, and only as they were sealed."""

import pytest

from sms.core.seal import CannotUnseal, seal, unseal

SECRETS = {"username": "payamgah", "password": "گذرواژه-7Q!", "domain": ""}
KEY = "the key of this installation"


def test_what_was_sealed_comes_back_whole() -> None:
    assert unseal(seal(SECRETS, seal_key=KEY), seal_key=KEY) == SECRETS


def test_nothing_of_the_secret_can_be_read_in_what_is_stored() -> None:
    sealed = seal(SECRETS, seal_key=KEY)

    assert all(value.encode() not in sealed for value in (*SECRETS, *SECRETS.values()) if value)


def test_the_same_secret_never_looks_alike_twice() -> None:
    assert seal(SECRETS, seal_key=KEY) != seal(SECRETS, seal_key=KEY)


def test_another_key_is_told_as_such() -> None:
    with pytest.raises(CannotUnseal, match="another key"):
        unseal(seal(SECRETS, seal_key=KEY), seal_key=f"{KEY}.")


@pytest.mark.parametrize("place", range(len(seal({"a": "b"}, seal_key=KEY))))
def test_one_changed_bit_anywhere_is_noticed(place: int) -> None:
    sealed = bytearray(seal({"a": "b"}, seal_key=KEY))
    sealed[place] ^= 1

    with pytest.raises(CannotUnseal):
        unseal(bytes(sealed), seal_key=KEY)


@pytest.mark.parametrize("length", [0, 1, 4, 5, 16, 17, 30])
def test_what_is_cut_short_is_noticed(length: int) -> None:
    with pytest.raises(CannotUnseal):
        unseal(seal({"a": "b"}, seal_key=KEY)[:length], seal_key=KEY)


def test_the_refusal_says_nothing_of_the_secret() -> None:
    with pytest.raises(CannotUnseal) as caught:
        unseal(seal(SECRETS, seal_key=KEY), seal_key="x")

    assert not any(secret in repr((caught.value, caught.value.params)) for secret in (SECRETS["password"], KEY))
