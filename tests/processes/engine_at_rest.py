"""An engine on a real Valkey, with SIP, media and edge that only note what they were told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import redis.asyncio as aioredis

from callcenter.clock import wall_s
from callcenter.config import Config, load
from callcenter.processes.engine.dialing import Dialing
from callcenter.processes.engine.inbox import Inbox
from callcenter.processes.engine.shell import Engine, Tenant
from callcenter.telephony import ports as p

TENANT, CAMPAIGN, AGENT = 1, 7, 3
TRUNK: dict[str, Any] = {
    "name": "North", "enabled": True, "host": "127.0.0.1", "port": 5060, "transport": "udp", "outbound_proxy": "",
    "username": "", "password": "", "from_domain": "", "register": False, "channels": 10, "calls_per_second": 10.0,
    "caller_ids": [], "prefixes": [], "strip_plus": False, "prepend": "", "priority": 1, "cost": 0, "codec": "pcmu",
    "options_every_s": 0,
}  # fmt: skip
CAMPAIGN_DOC: dict[str, Any] = {
    "id": CAMPAIGN, "name": "Autumn", "mode": "progressive", "state": "running", "ratio": 1.0, "abandon_cap": 0.03,
    "patience_s": 2.0, "ring_timeout_s": 30, "wrap_up_s": 30, "preview_s": 30, "max_lines": 10, "max_attempts": 3,
    "caller_ids": [], "trunk_ids": [], "record": "never", "language": "en", "prompt_abandoned": "",
    "disposition_required": True, "agents": [AGENT], "rules": {}, "lists": 1,
}  # fmt: skip


class Noted:
    """Takes every command and notes it; those of `answers` are coroutines with that answer (an exception is raised)."""

    def __init__(self, **answers: object) -> None:
        self.told: list[tuple[str, tuple[Any, ...]]] = []
        self.answers = answers

    def __getattr__(self, name: str) -> Any:
        def note(*args: Any, **_: Any) -> None:
            self.told.append((name, args))

        async def answer(*args: Any, **_: Any) -> object:
            self.told.append((name, args))
            value = self.answers[name]
            if isinstance(value, Exception):
                raise value
            return value

        return answer if name in self.answers else note

    def names(self) -> list[str]:
        """What was told, in order."""
        return [name for name, _ in self.told]


@asynccontextmanager
async def engine_at_rest(url: str, var: Path) -> AsyncIterator[SimpleNamespace]:
    """`engine`, `dialing`, `inbox`, `tenant`, `sip`, `media`, `edge`, `redis`. Nothing runs but what the test runs."""
    settings: Config = load()
    connection = aioredis.Redis.from_url(url)
    address = p.MediaAddress("127.0.0.1", 4000)
    sip, edge = Noted(), Noted(open=("answer", address), take_up=address)
    media = Noted(create_port=address, take_up=address, reset=None)
    engine = Engine(settings, connection, sip, media, edge, {})
    dialing = Dialing(engine)
    inbox = Inbox(engine, dialing)
    tenant = engine.tenants[TENANT] = Tenant(TENANT)
    inbox.settle(tenant, "trunk", 1, TRUNK)
    inbox.settle(tenant, "campaign", CAMPAIGN, CAMPAIGN_DOC)
    inbox.settle(tenant, "user", AGENT, {"name": "Ann", "enabled": True, "agent": True})
    engine.spawn(engine.journal.run(), "journal")
    now = wall_s()
    tenant.floor.team.presence(AGENT, True, now)
    tenant.floor.team.phone(AGENT, "connected", now)
    try:
        yield SimpleNamespace(
            engine=engine, dialing=dialing, inbox=inbox, tenant=tenant, sip=sip, media=media, edge=edge,
            redis=connection, var=var,
        )  # fmt: skip
    finally:
        for task in list(engine._tasks):
            task.cancel()
        if engine._timer is not None:
            engine._timer.cancel()
        await connection.aclose()
