"""The figures of a board's tile, read from live documents. Pure.

A figure is a number or None (nothing to tell yet). Formulas are in `definitions.py`; here they are only picked from the
documents that the engine publishes (`acd/views.py`, `dialer/views.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from callcenter.metrics import definitions

Document = Mapping[str, Any]
Pick = Callable[[Document, float], float | None]

ON_SHIFT: Final = ("available", "ringing", "on_call", "wrap_up", "paused")


def _field(name: str) -> Pick:
    def pick(doc: Document, now: float) -> float | None:
        value = doc.get(name)
        return None if value is None else float(value)

    return pick


def _since(name: str) -> Pick:
    def pick(doc: Document, now: float) -> float | None:
        since = doc.get(name)
        return 0.0 if since is None else max(0.0, now - float(since))

    return pick


def _abandon_rate(doc: Document, now: float) -> float | None:
    return definitions.abandon_rate(int(doc.get("answered") or 0), int(doc.get("abandoned") or 0))


def _today(name: str) -> Pick:
    def pick(doc: Document, now: float) -> float | None:
        value = (doc.get("today") or {}).get(name)
        return None if value is None else float(value)

    return pick


def _waiting(doc: Document, now: float) -> float:
    return float(len(doc.get("waiting") or ()))


def _state(*states: str) -> Pick:
    def pick(doc: Document, now: float) -> float | None:
        return float(sum(1 for a in doc.values() if isinstance(a, Mapping) and a.get("state") in states))

    return pick


def _occupancy(doc: Document, now: float) -> float | None:
    """Of those who could work, the share who do: on calls and in wrap-up over available, ringing and those."""
    busy = _state("on_call", "wrap_up")(doc, now) or 0.0
    all_ = _state("available", "ringing", "on_call", "wrap_up")(doc, now) or 0.0
    return busy / all_ if all_ else None


def _longest(state: str) -> Pick:
    def pick(doc: Document, now: float) -> float | None:
        found = [now - float(a["since"]) for a in doc.values() if isinstance(a, Mapping) and a.get("state") == state]
        return max(found, default=0.0)

    return pick


def _trunks_down(doc: Document, now: float) -> float:
    return float(sum(1 for t in doc.values() if t.get("enabled", True) and t.get("up") is False))


def _trunks(name: str) -> Pick:
    def pick(doc: Document, now: float) -> float | None:
        return float(sum(float(t.get(name) or 0) for t in doc.values()))

    return pick


# subject → metric → how it is read. `agents` is the collection of all agents' documents.
FIGURES: Final[dict[str, dict[str, Pick]]] = {
    "queue": {
        "waiting": _waiting,
        "longest_wait": _since("longest_wait_since"),
        "expected_wait": _field("expected_wait_s"),
        "service_level": _field("service_level"),
        "asa": _field("asa_s"),
        "aht": _field("aht_s"),
        "abandon_rate": _abandon_rate,
        "offered": _field("offered"),
        "answered": _field("answered"),
        "abandoned": _field("abandoned"),
        "overflowed": _field("overflowed"),
        "callbacks": _field("callbacks"),
        "agents": _field("agents"),
        "available": _field("available"),
        "talking": _field("talking"),
    },
    "campaign": {
        "ringing": _field("ringing"),
        "waiting": _field("waiting"),
        "talking": _field("talking"),
        "hopper": _field("hopper"),
        "placed": _today("placed"),
        "answered": _today("answered"),
        "connected": _today("connected"),
        "abandoned": _today("abandoned"),
        "abandoned_rate": _today("abandoned_rate"),
    },
    "agents": {
        "signed_on": _state(*ON_SHIFT),
        "available": _state("available"),
        "on_call": _state("on_call"),
        "wrap_up": _state("wrap_up"),
        "paused": _state("paused"),
        "occupancy": _occupancy,
        "longest_call": _longest("on_call"),
        "longest_pause": _longest("paused"),
    },
    "trunks": {"down": _trunks_down, "in_use": _trunks("in_use")},
    "menus": {"callers": _field("callers")},
}


def figure(subject: str, metric: str, document: Document | None, now: float) -> float | None:
    """The figure now, seconds, counts or fractions as the metric says; None without a document. KeyError for a metric
    that does not exist."""
    pick = FIGURES[subject][metric]
    return None if document is None else pick(document, now)
