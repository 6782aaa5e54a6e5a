"""Staff pages of operators and gateways."""

from flask import Blueprint

bp = Blueprint("operators_admin", __name__)
