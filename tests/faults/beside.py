"""The app on another panel's servers, in a process that has an app of its own."""

from flask import Flask

from app import create_app
from sms.core.config import Settings
from sms.core.web.limits import limiter


def app_beside(settings: Settings) -> Flask:
    """An app on these settings. The limiter is one a process, and goes on counting where it counted before."""
    counted = dict(vars(limiter))
    try:
        return create_app(settings)
    finally:
        vars(limiter).clear()
        vars(limiter).update(counted)
