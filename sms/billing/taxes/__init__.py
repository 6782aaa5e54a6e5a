"""What the state takes: VAT on what is paid in, a levy on each part."""
