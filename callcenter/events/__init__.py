"""Envelopes, facts, commands and the streams they travel on."""
