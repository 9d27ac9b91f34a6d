"""All that the editor needs to draw its forms: verbs, a branch's cases, the variables that every call has. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ivr.nodes import VERBS
from ivr.nodes.branch import Case
from ivr.state import OF_CALL
from ivr.validate import MOST_NODES
from ivr.verb import LANGUAGES, described, form


@lru_cache(maxsize=1)
def palette() -> dict[str, Any]:
    """For the API."""
    return {
        "verbs": [described(kind) for kind in VERBS.values()],
        "cases": form(Case()),
        "variables": list(OF_CALL),
        "languages": list(LANGUAGES),
        "most_nodes": MOST_NODES,
    }
