"""The demo carrier: delivers to a page instead of a telephone, and brings the page's answers back.

Like a real one it takes a text at once and tells a little later what became of it. Numbers that end in 9 are absent,
those that end in 8 refuse. What it delivered lies in Valkey, the newest `KEPT` of it:

    demo:texts      list of {"id", "to", "from", "subject", "body", "media", "at"}, the newest first
    demo:answers    list of {"from", "to", "body"}: written by the page, taken by this carrier
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any, Final, cast

import redis.asyncio
from redis import RedisError

from callcenter import config, ids, wire
from callcenter.clock import wall_s
from smsgateway.carriers import settings as declared
from smsgateway.carriers.models import TextCarrier
from smsgateway.carriers.port import (
    Accepted,
    Health,
    Inbound,
    Listener,
    Outcome,
    Outgoing,
    Receipt,
    ReceiptStatus,
    Rejected,
)
from smsgateway.carriers.settings import Setting, SettingKind

log = logging.getLogger(__name__)
TEXTS, ANSWERS = "demo:texts", "demo:answers"
KEPT: Final = 200
ABSENT, REFUSING = "9", "8"
AGAIN_S = 1.0
SETTINGS: tuple[Setting, ...] = (
    Setting("delivery_s", SettingKind.NUMBER, 1.5, least=0, most=3600, section="behaviour"),
)


def faults(given: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with settings `given`."""
    return declared.faults(SETTINGS, given)


def make(carrier: TextCarrier, listener: Listener) -> DemoCarrier:
    """The demo carrier, not started."""
    return DemoCarrier(listener, float(declared.whole(SETTINGS, carrier.settings)["delivery_s"]))


class DemoCarrier:
    """A `Carrier` whose subscribers read and answer on a page."""

    def __init__(self, listener: Listener, delivery_s: float) -> None:
        self.listener = listener
        self.delivery_s = delivery_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = True
        # The page's answers are waited for without an end.
        self._valkey = redis.asyncio.Redis.from_url(config.load().redis_url, socket_timeout=None)

    async def start(self) -> None:
        """Ready at once."""
        self.listener.health(Health(True, "the demo carrier is always there", 1, 1))
        self._keep(self._answers())

    async def submit(self, text: Outgoing) -> Outcome:
        """Take `text`; deliver it later."""
        if text.phone.endswith(REFUSING):
            return Rejected("BLOCKED", "the subscriber takes no texts")
        refs = tuple(ids.new_id().lower() for _ in range(max(1, text.segments)))
        self._keep(self._deliver(text, refs))
        return Accepted(refs)

    async def stop(self, grace_s: float) -> None:
        """Deliver what is out within `grace_s`, and end."""
        self._open = False
        waiting = [t for t in self._tasks if t.get_name() != "answers"]
        if waiting:
            await asyncio.wait(waiting, timeout=grace_s)
        for task in tuple(self._tasks):
            task.cancel()
        with contextlib.suppress(RedisError):
            await self._valkey.aclose()

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work, name=work.__name__.strip("_"))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, text: Outgoing, refs: tuple[str, ...]) -> None:
        if self._open:
            await asyncio.sleep(self.delivery_s)
        absent = text.phone.endswith(ABSENT)
        if not absent:
            shown = {
                "id": refs[0], "to": text.phone, "from": text.sender, "subject": text.subject, "body": text.body,
                "media": [a.name for a in text.media], "at": wall_s(),
            }  # fmt: skip
            with contextlib.suppress(RedisError):
                await cast(Any, self._valkey.lpush(TEXTS, wire.to_json(shown)))
                await cast(Any, self._valkey.ltrim(TEXTS, 0, KEPT - 1))
        status, code = (ReceiptStatus.FAILED, "ABSENT") if absent else (ReceiptStatus.DELIVERED, "DELIVRD")
        for ref in refs:
            await self.listener.receipt(Receipt(ref, status, code, wall_s()))

    async def _answers(self) -> None:
        while self._open:
            try:
                taken = await cast(Any, self._valkey.blpop([ANSWERS], timeout=5))
            except (RedisError, OSError) as error:
                log.warning("no answers of the demo's subscribers can be taken: %s", error)
                await asyncio.sleep(AGAIN_S)
                continue
            if taken is not None:
                answer = wire.from_json(taken[1], dict[str, str])
                await self.listener.inbound(
                    Inbound(answer["from"], answer["to"], answer["body"], wall_s(), ids.new_id())
                )
