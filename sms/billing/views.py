"""What sending costs, and what comes back."""

from flask import Blueprint

bp = Blueprint("billing", __name__)
