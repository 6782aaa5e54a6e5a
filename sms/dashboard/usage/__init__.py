"""What an account used in a month, line by line, and the invoice of it."""
