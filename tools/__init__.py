"""What the Makefile calls: setting up, building, listing. Nothing of the product imports it."""
