"""The demo carrier's process: `python -m callcenter.processes.democarrier`. Settings: `demo/settings.py`.

With `DEMO=1`, as the runner sets it when there is a demo enterprise, its subscribers call in too.
"""

from __future__ import annotations

import asyncio
import os
import signal

import uvloop

from callcenter import config, log
from callcenter.processes.democallers import keep_calling
from demo.carrier import Carrier
from demo.settings import BadSetting, settings


async def _serve(carrier: Carrier, given: config.Config) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await carrier.start()
    callers: asyncio.Task[None] | None = None
    if given.demo and given.redis_url:
        engine = ("127.0.0.1" if given.sip_host == "0.0.0.0" else given.sip_host, given.sip_port)
        callers = loop.create_task(keep_calling(given.redis_url, lambda number: carrier.call_in(number, engine)))
    await stop.wait()
    if callers is not None:
        callers.cancel()
    await carrier.stop()


def main() -> None:
    """Run until SIGINT or SIGTERM."""
    given = config.load()
    log.set_up("democarrier", given.log_level)
    try:
        chosen = settings(os.environ, given.var)
    except BadSetting as error:
        raise SystemExit(str(error)) from None
    try:
        uvloop.run(_serve(Carrier(chosen), given))
    except OSError as error:
        raise SystemExit(f"The demo carrier can't listen on {chosen.host}:{chosen.port}: {error.strerror}") from None


if __name__ == "__main__":
    main()
