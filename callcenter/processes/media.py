"""`python -m callcenter.processes.media N`: media worker N. See `callcenter/telephony/media/`.

SIGTERM and SIGINT end it cleanly: recordings are closed (a successor takes them up), far ends get RTCP BYE.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import sys

import uvloop

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy: no idle threads beside the loop; read when it is imported

from callcenter import config, log
from callcenter.telephony.media.control import ControlServer
from callcenter.telephony.media.sockets import PortRange, share
from callcenter.telephony.media.worker import MediaWorker

logger = logging.getLogger(__name__)
PRIORITY = 2  # real-time; the engine has 1


def _raise_file_limit() -> None:
    """Two sockets a leg: as many open files as the system lets us have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _raise_priority() -> None:
    """Audio is late after 20 ms, a report is not: go before the other processes where the system allows it.

    Real-time scheduling, one step above the engine, as Asterisk (-p) and FreeSWITCH use it. The thread that writes
    recordings inherits it: were it held up while it has the interpreter's lock, audio would wait for it.
    """
    try:
        # Threads that are begun later (a sentence being synthesised, say) are ordinary ones.
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
    except OSError:
        logger.info("no right to real-time scheduling (CAP_SYS_NICE); on a busy machine audio may suffer")


async def run(number: int, settings: config.Config) -> None:
    """Serve until SIGTERM or SIGINT."""
    control = ControlServer(number)
    ports = share(settings.media_port_min, settings.media_port_max, number, settings.media_workers)
    worker = MediaWorker(PortRange(settings.media_ip, ports), control.tell)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stopped.set)
    await control.serve(settings.media_socket(number), worker)
    # Nothing made so far is ever garbage, and the hot path makes no cycles: collect seldom and little.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    logger.info("media worker %d listens; UDP ports %d-%d", number, ports.start, ports.stop - 1)
    await stopped.wait()
    logger.info("media worker %d ends with %d ports open", number, worker.open_ports)
    await control.close()
    await worker.close()


def main() -> None:
    """The process of a Procfile line."""
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        raise SystemExit("usage: python -m callcenter.processes.media N   (N = 0, 1 … is the worker's number)")
    number = int(sys.argv[1])
    settings = config.load()
    if number >= settings.media_workers:
        raise SystemExit(f"worker {number} of MEDIA_WORKERS={settings.media_workers}: workers count from 0")
    log.set_up(f"media-{number}", settings.log_level)
    _raise_file_limit()
    _raise_priority()
    uvloop.run(run(number, settings))


if __name__ == "__main__":
    main()
