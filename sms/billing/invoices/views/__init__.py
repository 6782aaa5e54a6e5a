"""Pages of invoices, and the paper they are printed on."""
