"""The settings of one installation: read once from the environment and checked before anything starts."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast, get_args

Mode = Literal["sample", "production", "test"]

KEY_LENGTH = 32
KEY_VARIETY = 10  # different characters a key must have: "aaaa…" is long and worthless
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class UnusableSettings(ValueError):
    """The environment cannot run the panel; the message lists every reason, one a line."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one installation is made of. `mode` decides what is allowed: sample data only in "sample"."""

    mode: Mode
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    secret_key: str = field(repr=False)  # signs sessions and forms
    seal_key: str = field(repr=False)  # seals operator credentials; kept apart from the database it protects
    var_dir: Path
    port: int = 8000
    public_url: str = "http://127.0.0.1:8000"
    simulator_url: str = ""  # empty where no simulator runs
    simulator_smpp_url: str = ""  # where it speaks SMPP
    queue_prefix: str = "payamgah-"
    log_level: str = "INFO"
    proxy_hops: int = 0  # how many reverse proxies of our own stand before the web server

    @property
    def is_production(self) -> bool:
        """Whether real customers and real money are served here."""
        return self.mode == "production"

    @property
    def is_https(self) -> bool:
        """Whether the panel is reached over TLS, so that cookies may insist on it."""
        return self.public_url.startswith("https://")


def load(environ: Mapping[str, str]) -> Settings:
    """Build the settings from environment variables; raises UnusableSettings with every problem found."""
    problems = _problems(environ)
    if problems:
        raise UnusableSettings("The panel cannot start with these settings:\n" + "\n".join(f"- {p}" for p in problems))
    port = int(environ.get("PORT", "8000"))
    return Settings(
        mode=_mode(environ),
        database_url=environ["DATABASE_URL"],
        redis_url=environ["REDIS_URL"],
        secret_key=environ["SECRET_KEY"],
        seal_key=environ["SEAL_KEY"],
        var_dir=Path(environ["VAR_DIR"]).absolute(),
        port=port,
        public_url=environ.get("PUBLIC_URL", f"http://127.0.0.1:{port}").rstrip("/"),
        simulator_url=environ.get("SIMULATOR_URL", "").rstrip("/"),
        simulator_smpp_url=environ.get("SIMULATOR_SMPP_URL", "").rstrip("/"),
        queue_prefix=environ.get("QUEUE_PREFIX", "payamgah-"),
        log_level=environ.get("LOG_LEVEL", "INFO").upper(),
        proxy_hops=int(environ.get("PROXY_HOPS", "0")),
    )


def _mode(environ: Mapping[str, str]) -> Mode:
    # Nothing said means the strictest.
    return cast("Mode", environ.get("PAYAMGAH_MODE", "production"))


def _problems(environ: Mapping[str, str]) -> list[str]:
    wanted: dict[str, Callable[[str], bool]] = {
        "DATABASE_URL must be the postgresql:// address of a PostgreSQL database": _starts("postgresql://"),
        "REDIS_URL must be the redis:// or rediss:// address of a Redis or Valkey server": _starts("redis"),
        "SECRET_KEY must be set": bool,
        "SEAL_KEY must be set": bool,
        "VAR_DIR must name the data folder": bool,
    }
    optional: dict[str, Callable[[str], bool]] = {
        f"PAYAMGAH_MODE must be one of {', '.join(get_args(Mode))}": lambda text: text in get_args(Mode),
        "PORT must be a number from 1 to 65535": lambda text: text.isdecimal() and 0 < int(text) <= 65535,  # noqa: PLR2004
        "PUBLIC_URL must start with http:// or https://": _starts("http://", "https://"),
        "SIMULATOR_URL must be empty or start with http://": lambda text: not text or text.startswith("http://"),
        "SIMULATOR_SMPP_URL must be empty or start with smpp://": lambda text: not text or text.startswith("smpp://"),
        "PROXY_HOPS must be a number from 0 to 9": lambda text: text.isdecimal() and len(text) == 1,
        f"LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}": lambda text: text.upper() in LOG_LEVELS,
    }
    found = [rule for rule, holds in wanted.items() if not holds(environ.get(_name(rule), ""))]
    found += [rule for rule, holds in optional.items() if _name(rule) in environ and not holds(environ[_name(rule)])]
    return found + (_weak_keys(environ) if _mode(environ) == "production" else [])


def _starts(*prefixes: str) -> Callable[[str], bool]:
    return lambda text: text.startswith(prefixes)


def _name(rule: str) -> str:
    return rule.split(" ", 1)[0]


def _weak_keys(environ: Mapping[str, str]) -> list[str]:
    keys = {name: environ[name] for name in ("SECRET_KEY", "SEAL_KEY") if environ.get(name)}
    weak = [
        f"{name} is too weak for production: give it {KEY_LENGTH} random characters or more"
        for name, key in keys.items()
        if len(key) < KEY_LENGTH or len(set(key)) < KEY_VARIETY
    ]
    same = ["SECRET_KEY and SEAL_KEY must differ"] if len(keys) > len(set(keys.values())) else []
    return weak + same


@lru_cache(maxsize=1)
def _from_environment() -> Settings:
    return load(os.environ)


_chosen: Settings | None = None


def settings() -> Settings:
    """Return the settings of this process, read from the environment at the first call."""
    return _chosen or _from_environment()


def use(chosen: Settings | None) -> Settings | None:
    """Put other settings in place, for tests; None goes back to the environment. Returns what was there before."""
    global _chosen
    before, _chosen = _chosen, chosen
    return before
