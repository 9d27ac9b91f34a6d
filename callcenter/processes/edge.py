"""The browser edge process: `python -m callcenter.processes.edge`. Ends cleanly on SIGTERM or SIGINT.

With `EDGE_IP` a loopback address (the default), browsers are told every address of this machine; with another one they
are told only that.
"""

from __future__ import annotations

import asyncio
import signal

import uvloop

from callcenter import config, log
from callcenter.telephony.edge.aiortc_transport import check_private_names, is_loopback
from callcenter.telephony.edge.server import EdgeServer


async def serve(settings: config.Config) -> None:
    """Run until told to stop."""
    check_private_names()
    local = is_loopback(settings.edge_ip)
    server = EdgeServer(settings.edge_socket, () if local else (settings.edge_ip,), loopback=local)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await server.start()
    await stopped.wait()
    await server.stop()


def main() -> None:
    """Entry point."""
    settings = config.load()
    log.set_up("edge", settings.log_level)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
