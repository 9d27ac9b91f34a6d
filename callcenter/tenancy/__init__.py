"""Enterprises and departments."""
