"""Staff pages of tariffs and refund rules."""

from flask import Blueprint

bp = Blueprint("billing_admin", __name__)
