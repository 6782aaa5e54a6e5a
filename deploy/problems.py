"""What the launcher tells the person at the terminal when it cannot do as asked."""


class Problem(Exception):
    """Says what is wrong and what to do about it; shown without a traceback."""
