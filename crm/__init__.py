"""Customers, lists of leads, dispositions, call-backs, scripts: what the calls feed and are fed by."""
