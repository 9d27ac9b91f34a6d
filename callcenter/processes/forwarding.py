"""The loop `forwards`: posts texts that came in to the webhooks of those who want them."""

from __future__ import annotations

import asyncio
import threading

from callcenter.calls.control import Http
from callcenter.clock import monotonic_s, utc_now
from callcenter.db.session import platform_session
from callcenter.processes.engine.asking import Asking
from smsgateway.inbound import forwarding
from smsgateway.inbound.forwarding import OK, Post

TURN_S = 0.5
POST_TIMEOUT_S = 5.0
SWEEP_EVERY_S = 3600.0


def run(stop: threading.Event) -> None:
    """Post until `stop` is set."""
    swept = -SWEEP_EVERY_S
    while not stop.is_set():
        if turn() == 0:
            stop.wait(TURN_S)
        if monotonic_s() - swept >= SWEEP_EVERY_S:
            swept = monotonic_s()
            with platform_session() as session:
                forwarding.sweep(session, utc_now())


def turn() -> int:
    """Post what is due now; returns how many there were."""
    with platform_session() as session:
        posts = forwarding.lease(session, utc_now())
    if not posts:
        return 0
    answers = asyncio.run(_all(posts))
    with platform_session() as session:
        forwarding.done(session, list(zip(posts, answers, strict=True)), utc_now())
    return len(posts)


async def _all(posts: list[Post]) -> list[str]:
    asking = Asking()
    try:
        return await asyncio.gather(*(_one(asking, p) for p in posts))
    finally:
        await asking.close()


async def _one(asking: Asking, post: Post) -> str:
    asked = Http("forward", "POST", post.url, {"X-Signature": post.signature}, post.body.decode(), POST_TIMEOUT_S)
    answer = await asking.ask(asked)
    if 200 <= answer.status < 300:
        return OK
    return f"status {answer.status}" if answer.status else answer.error
