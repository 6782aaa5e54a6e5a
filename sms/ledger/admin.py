"""Staff pages of an account's money."""

from flask import Blueprint

bp = Blueprint("ledger_admin", __name__)
