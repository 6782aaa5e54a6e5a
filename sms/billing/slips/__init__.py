"""Money paid in at a bank, shown by its slip."""
