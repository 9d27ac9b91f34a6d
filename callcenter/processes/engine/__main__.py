"""`python -m callcenter.processes.engine`: wires SIP, media, edge, journal and dialing into one engine and runs it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal

import redis.asyncio as aioredis
import uvloop
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from callcenter import config, log
from callcenter.events import streams
from callcenter.processes.engine.dialing import Dialing
from callcenter.processes.engine.inbox import Inbox
from callcenter.processes.engine.restore import claim, restore
from callcenter.processes.engine.shell import Engine
from callcenter.processes.prompts import installed_prompts
from callcenter.telephony.edge.choose import edge_of
from callcenter.telephony.media.client import MediaClient
from callcenter.telephony.sip.adapter import SippyPort

PRIORITY = 1  # real-time; the media workers have 2


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = config.load()
    connection = aioredis.Redis.from_url(settings.redis_url, retry=Retry(NoBackoff(), 1), socket_connect_timeout=2)
    host, port = settings.sip_advertised
    sip = SippyPort(settings.sip_host, settings.sip_port, advertised_host=host, advertised_port=port)
    media = MediaClient(settings)
    edge = edge_of(settings)
    engine = Engine(settings, connection, sip, media, edge, installed_prompts(settings.var))
    dialing = Dialing(engine)
    inbox = Inbox(engine, dialing)

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    waiting = asyncio.ensure_future(engine.fence.take())
    await asyncio.wait([waiting, stopped := asyncio.ensure_future(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        waiting.cancel()
        return
    stopped.cancel()
    holding = asyncio.create_task(engine.fence.run())
    writer = asyncio.create_task(engine.journal.run())
    await sip.start(engine.on_sip)
    await media.start(engine.on_media)
    await edge.start(engine.on_edge)
    engine.journal.save(streams.SIP_ADDRESSES, settings.engine_id, "{}:{}".format(*sip.address))
    await restore(engine, inbox)
    # What stands now is never garbage. A full collection of all of it would hold up a caller for tens of milliseconds.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    tasks = [
        asyncio.create_task(inbox.run()),
        asyncio.create_task(dialing.run()),
        asyncio.create_task(dialing.reconcile()),
        asyncio.create_task(engine.reconcile()),
        asyncio.create_task(_tenants(engine, inbox)),
    ]
    engine.spawn(engine.audio.voice.prepare(), "speaking beforehand")
    logging.getLogger(__name__).info("engine %s is up", settings.engine_id)
    await stop.wait()
    for task in tasks:
        task.cancel()
    writer.cancel()
    await engine.journal.drain()
    holding.cancel()
    await engine.fence.let_go()
    engine.audio.voice.close()
    await engine.asking.close()
    # Calls and browsers go on: the next engine takes them up.
    await media.stop()
    await edge.detach()


def _raise_priority() -> None:
    """A caller is waiting for each answer of the engine, nobody for what runs behind the scenes.

    Real-time scheduling, one step below the media workers, as Asterisk (-p) has it: on a busy machine a higher nice
    value alone lets others run in the middle of an answer, which doubled the time from the 200 OK to the voice.
    """
    try:
        # Threads that are begun later (a sentence being synthesised, say) are ordinary ones.
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
    except OSError:
        logging.getLogger(__name__).info("no right to a higher priority (CAP_SYS_NICE); a busy machine connects slower")


async def _tenants(engine: Engine, inbox: Inbox) -> None:
    """Enterprises that were opened since; the relay writes their settings first."""
    while True:
        await asyncio.sleep(2)
        try:
            known = {int(t) for t in await engine.redis.smembers(streams.SETTINGS_TENANTS)}
            for tenant in known:
                if await claim(engine, tenant):
                    engine.open_tenant(tenant)
        except (aioredis.RedisError, OSError):
            continue


if __name__ == "__main__":
    log.set_up("engine", config.load().log_level)
    _raise_priority()
    uvloop.run(main())
