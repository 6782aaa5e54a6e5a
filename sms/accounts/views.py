"""Pages of sign-in, sign-up and one's own account."""

from flask import Blueprint

bp = Blueprint("accounts", __name__)
