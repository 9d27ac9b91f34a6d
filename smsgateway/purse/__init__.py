"""The purse: prepaid accounts, reservations and a ledger that sums to zero."""
