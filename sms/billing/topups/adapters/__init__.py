"""One module a payment gateway."""
