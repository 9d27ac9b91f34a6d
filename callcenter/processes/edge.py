"""The browser edge process: `python -m callcenter.processes.edge`. Ends cleanly on SIGTERM or SIGINT.

With `EDGE_IP` a loopback address (the default), browsers are told every address of this machine; with another one they
are told only that, be it this machine's own or one that a 1:1 NAT carries here.
"""

from __future__ import annotations

import asyncio
import logging
import signal

import uvloop

from callcenter import config, log
from callcenter.telephony.edge.aiortc_transport import check_private_names
from callcenter.telephony.edge.server import EdgeServer
from callcenter.telephony.edge.session import Listen


async def serve(settings: config.Config) -> None:
    """Run until told to stop."""
    check_private_names()
    try:
        listen = Listen.at(settings.edge_ip)
    except ValueError:
        raise SystemExit(f"EDGE_IP={settings.edge_ip!r} is not an IP address; give one or leave it out") from None
    server = EdgeServer(settings.edge_socket, listen)
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
    for name in ("aioice", "aiortc"):
        logging.getLogger(name).setLevel(logging.WARNING)  # they tell every connectivity check
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
