"""Staff pages of lines."""

from flask import Blueprint

bp = Blueprint("lines_admin", __name__)
