"""Check 5: what the text says. A contiguous sensitive word blocks; one that only shows squeezed goes to approval."""

from __future__ import annotations

from smsgateway.checks.verdict import Check, NeedsApproval, Refusal, Words
from smsgateway.templates import MAX_LENGTH

MAX_HITS = 50  # stored with a refusal


def check(body: str, words: Words) -> Refusal | NeedsApproval | None:
    """Rules: `empty`, `too_long` (params `length`, `limit`), `blocked` (params `words`: those that block)."""
    if not body or body.isspace():
        return Refusal(Check.WORDS, "empty")
    if len(body) > MAX_LENGTH:
        return Refusal(Check.WORDS, "too_long", {"length": len(body), "limit": MAX_LENGTH})
    hits = words.find(body)
    if not hits:
        return None
    blocking = tuple(h for h in hits if h.contiguous)[:MAX_HITS]
    if blocking:
        found = dict.fromkeys(h.word for h in blocking)
        return Refusal(Check.WORDS, "blocked", {"words": ", ".join(found)}, blocking)
    return NeedsApproval("words", hits[:MAX_HITS])
