"""The demo carrier's process: `python -m callcenter.processes.democarrier`. Settings: `demo/settings.py`."""

from __future__ import annotations

import asyncio
import os
import signal

import uvloop

from callcenter import config, log
from demo.carrier import Carrier
from demo.settings import BadSetting, settings


async def _serve(carrier: Carrier) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await carrier.start()
    await stop.wait()
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
        uvloop.run(_serve(Carrier(chosen)))
    except OSError as error:
        raise SystemExit(f"The demo carrier can't listen on {chosen.host}:{chosen.port}: {error.strerror}") from None


if __name__ == "__main__":
    main()
