"""What the figures mean (definitions.py) and the live ones."""
