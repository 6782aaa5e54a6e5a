"""The secret of an address, and the networks it may be used from."""

import pytest

from sms.operators.push.rules import MAX_ADDRESSES, hash_of, is_from, is_right, networks_of, new_token, path_of
from sms.operators.rules import UnusableSetting


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {22}  # 128 bits, six a letter
    assert "/" not in "".join(tokens)


def test_only_the_right_token_is_right() -> None:
    token = new_token()
    assert is_right(token, hash_of(token))
    for wrong in ("", token[:-1], token + "x", token.swapcase(), "\ud83d", new_token()):
        assert not is_right(wrong, hash_of(token))
        assert not is_right(wrong, None)
    assert not is_right(token, None)
    assert token.encode() not in hash_of(token)


def test_the_path_of_an_address() -> None:
    assert path_of(3, "abc") == "/hooks/3/abc/reports"


def test_networks_are_read_and_each_kept_once() -> None:
    typed = "192.0.2.7, 198.51.100.9/24،  2001:db8::1\n192.0.2.7"
    assert networks_of(typed) == ["192.0.2.7/32", "198.51.100.0/24", "2001:db8::1/128"]
    assert networks_of("  ") == []


@pytest.mark.parametrize("typed", ["example.com", "192.0.2", "192.0.2.0/33", "1.2.3.4 x", "300.1.1.1"])
def test_what_is_no_network_is_named(typed: str) -> None:
    with pytest.raises(UnusableSetting) as caught:
        networks_of(typed)
    assert caught.value.field == "addresses"


def test_a_list_of_networks_has_an_end() -> None:
    with pytest.raises(UnusableSetting):
        networks_of(" ".join(f"192.0.2.{number}" for number in range(MAX_ADDRESSES + 1)))


@pytest.mark.parametrize(
    ("networks", "address", "is_let_in"),
    [
        ([], "203.0.113.5", True),
        ([], "", True),
        (["192.0.2.0/24"], "192.0.2.200", True),
        (["192.0.2.0/24"], "::ffff:192.0.2.200", True),
        (["192.0.2.0/24"], "192.0.3.1", False),
        (["192.0.2.0/24", "2001:db8::/32"], "2001:db8::7", True),
        (["192.0.2.0/24"], "2001:db8::7", False),
        (["192.0.2.0/24"], "", False),
        (["192.0.2.0/24"], "unix", False),
    ],
)
def test_who_is_let_in(networks: list[str], address: str, is_let_in: bool) -> None:
    assert is_from(networks, address) == is_let_in
