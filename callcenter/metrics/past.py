"""The last hour of the boards' figures: one sample a minute in Redis, written by the loop `alerts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callcenter import wire
from callcenter.events import streams
from callcenter.metrics.figures import FIGURES, figure

SAMPLES = 60
KEEP_S = 7200


def past_key(tenant: int, topic: str) -> str:
    """List of the samples of `topic`, newest first."""
    return f"past:{tenant}:{topic}"


def note(tenant: int, topic: str, document: Mapping[str, Any] | None, now: float) -> None:
    """Keep a sample of every figure of `topic`."""
    subject = topic.partition(":")[0]
    values = {name: figure(subject, name, document, now) for name in FIGURES[subject]}
    pipe = streams.client().pipeline(transaction=False)
    pipe.lpush(past_key(tenant, topic), wire.to_json({"at": now, "values": values}))
    pipe.ltrim(past_key(tenant, topic), 0, SAMPLES - 1)
    pipe.expire(past_key(tenant, topic), KEEP_S)
    pipe.execute()


def read(tenant: int, topic: str) -> dict[str, Any]:
    """{"at": [...], "values": {metric: [...]}}, oldest first."""
    raw: Any = streams.client().lrange(past_key(tenant, topic), 0, SAMPLES - 1)
    samples = [wire.from_json(r, dict[str, Any]) for r in reversed(raw)]
    subject = topic.partition(":")[0]
    return {
        "at": [s["at"] for s in samples],
        "values": {name: [s["values"].get(name) for s in samples] for name in FIGURES[subject]},
    }
