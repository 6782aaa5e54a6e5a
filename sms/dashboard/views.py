"""The home page and the health address."""

from flask import Blueprint

bp = Blueprint("dashboard", __name__)
