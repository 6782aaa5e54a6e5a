"""Two owners of lines, as the inbox knows them."""

from tests.inbox.conftest import post

__all__ = ["post"]
