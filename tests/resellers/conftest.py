"""The tree of every test of resellers."""

import pytest
from flask import Flask

from tests.resellers.people import Tree, make_tree


@pytest.fixture
def tree(app: Flask) -> Tree:
    """Two resellers and what stands below them."""
    return make_tree(app)
