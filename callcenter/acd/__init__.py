"""Agents and who gets the next call. Read agent.py first."""
