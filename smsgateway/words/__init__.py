"""Sensitive words: which words may a text not carry, and where are they in it?

Read `normalise.py` (what two spellings have in common), then `matcher.py` (the search), then `store.py` (whose words an
enterprise searches for, and how a change reaches every process). What a hit means for a text is said in `checks/words`.
"""
