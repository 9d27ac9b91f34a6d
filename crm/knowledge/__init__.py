"""The knowledge base: what does an agent say to this question, and did the answer help?

Read `models.py` first (categories, articles, versions, votes), then `texts.py` (what searching compares), `actions.py`
and `categories.py` (writes) and `queries.py` (lists, searching, what is suggested during a call). A body is kept as it
was typed, in a small Markdown; it is never turned into HTML, here or in a browser. Words that an agent reads out step
by step are scripts, and have nothing to do with this.
"""
