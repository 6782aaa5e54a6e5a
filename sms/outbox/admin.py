"""Staff pages of messages of unknown fate."""

from flask import Blueprint

bp = Blueprint("outbox_admin", __name__)
