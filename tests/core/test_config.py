"""Settings come from the environment, whole and safe, or the panel does not start."""

from pathlib import Path

import pytest

from sms.core.config import Settings, UnusableSettings, load

ENVIRONMENT = {
    "PAYAMGAH_MODE": "sample",
    "DATABASE_URL": "postgresql://owner:word@127.0.0.1:5432/panel",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "SECRET_KEY": "short",
    "SEAL_KEY": "brief",
    "VAR_DIR": "/var/lib/panel",
}
STRONG = {"SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz", "SEAL_KEY": "zyxwvutsrqponmlkjihgfedcba9876543210"}


def problems(**changed: str) -> str:
    with pytest.raises(UnusableSettings) as refusal:
        load(ENVIRONMENT | changed)
    return str(refusal.value)


def test_what_is_not_said_has_a_default() -> None:
    settings = load(ENVIRONMENT)
    assert settings.var_dir == Path("/var/lib/panel")
    assert (settings.port, settings.public_url, settings.simulator_url) == (8000, "http://127.0.0.1:8000", "")
    assert not settings.is_production
    assert not settings.is_https


def test_public_address_follows_the_port_unless_it_is_given() -> None:
    assert load(ENVIRONMENT | {"PORT": "9000"}).public_url == "http://127.0.0.1:9000"
    given = load(ENVIRONMENT | {"PORT": "9000", "PUBLIC_URL": "https://panel.example/"})
    assert given.public_url == "https://panel.example"
    assert given.is_https


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "SECRET_KEY", "SEAL_KEY", "VAR_DIR"])
def test_missing_setting_is_named(name: str) -> None:
    assert f"- {name} must" in problems(**{name: ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAYAMGAH_MODE", "demo"),
        ("DATABASE_URL", "sqlite:///panel.db"),
        ("REDIS_URL", "http://127.0.0.1"),
        ("PORT", "http"),
        ("PORT", "70000"),
        ("PUBLIC_URL", "panel.example"),
        ("SIMULATOR_URL", "127.0.0.1:8100"),
        ("LOG_LEVEL", "loud"),
        ("PROXY_HOPS", "all"),
        ("SIMULATOR_SMPP_URL", "http://127.0.0.1:2775"),
    ],
)
def test_senseless_setting_is_named(name: str, value: str) -> None:
    assert f"- {name} must" in problems(**{name: value})


def test_all_problems_are_told_at_once() -> None:
    told = problems(PORT="x", REDIS_URL="", LOG_LEVEL="loud")
    assert told.count("\n- ") == 3


def test_nothing_said_about_the_mode_means_production() -> None:
    unsaid = {name: value for name, value in ENVIRONMENT.items() if name != "PAYAMGAH_MODE"} | STRONG
    assert load(unsaid).is_production


@pytest.mark.parametrize("name", ["SECRET_KEY", "SEAL_KEY"])
@pytest.mark.parametrize("weak", ["a-short-one", "a" * 64, "abcabc" * 10])
def test_production_refuses_a_weak_key(name: str, weak: str) -> None:
    assert f"- {name} is too weak" in problems(**(STRONG | {"PAYAMGAH_MODE": "production", name: weak}))


def test_production_refuses_one_key_for_two_purposes() -> None:
    same = {"PAYAMGAH_MODE": "production", "SECRET_KEY": STRONG["SECRET_KEY"], "SEAL_KEY": STRONG["SECRET_KEY"]}
    assert "must differ" in problems(**same)


def test_printing_settings_shows_no_secret() -> None:
    shown = repr(load(ENVIRONMENT))
    assert not any(ENVIRONMENT[name] in shown for name in ("DATABASE_URL", "SECRET_KEY", "SEAL_KEY"))


def test_settings_cannot_be_changed_once_made() -> None:
    settings = load(ENVIRONMENT)
    assert isinstance(settings, Settings)
    with pytest.raises(AttributeError):
        settings.port = 1  # type: ignore[misc]
