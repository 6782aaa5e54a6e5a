"""Staff pages of accounts, users and the audit."""

from flask import Blueprint

bp = Blueprint("accounts_admin", __name__)
