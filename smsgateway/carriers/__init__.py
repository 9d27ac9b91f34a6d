"""Carriers: how texts leave, and what comes back."""
