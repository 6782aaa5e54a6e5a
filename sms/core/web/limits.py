"""How often something may be asked for; counted in Redis, so all web processes count together."""

from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from sms.core.config import Settings

limiter = Limiter(key_func=get_remote_address, strategy="moving-window")


def init_app(app: Flask, settings: Settings) -> None:
    """Count in this installation's Redis; when it is away, pages that have no limit of their own still load."""
    app.config.setdefault("RATELIMIT_STORAGE_URI", settings.redis_url)
    app.config.setdefault("RATELIMIT_KEY_PREFIX", settings.queue_prefix)
    app.config.setdefault("RATELIMIT_IN_MEMORY_FALLBACK", ["20/minute"])
    app.config.setdefault("RATELIMIT_IN_MEMORY_FALLBACK_ENABLED", True)
    app.config.setdefault("RATELIMIT_HEADERS_ENABLED", False)
    limiter.init_app(app)
