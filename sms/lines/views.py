"""A customer's lines."""

from flask import Blueprint

bp = Blueprint("lines", __name__)
