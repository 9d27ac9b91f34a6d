"""`python -m callcenter.processes.backoffice [LOOP ...]`: the loops behind the scenes.

Each is a thread; without names all run. A loop that fails (Redis or PostgreSQL away) is begun again after a second:
nothing it does is lost by that.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable

from callcenter import config, log
from callcenter.db.models import load_all
from callcenter.events import streams
from callcenter.processes import alerting, forwarding, lookups, recorder, relay
from callcenter.processes.scheduler import Scheduler
from dialer.feeder import Feeder
from smsgateway.purse import rollup, watch

logger = logging.getLogger(__name__)
AGAIN_S = 1.0

LOOPS: dict[str, Callable[[threading.Event], None]] = {
    "recorder": recorder.run,
    "relay": relay.run,
    "feeder": lambda stop: Feeder(streams.client()).run(stop),
    "scheduler": lambda stop: Scheduler().run(stop),
    "lookups": lookups.run,
    "alerts": alerting.run,
    "purse": watch.run,
    "rollup": rollup.run,
    "forwards": forwarding.run,
}


def keep_running(name: str, stop: threading.Event) -> None:
    """Run loop `name` until `stop` is set, whatever happens to it."""
    while not stop.is_set():
        try:
            LOOPS[name](stop)
        except Exception:
            logger.exception("%s failed and begins again", name)
            stop.wait(AGAIN_S)


def main(names: list[str]) -> None:
    """Run the named loops until SIGTERM or SIGINT."""
    load_all()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threads = [threading.Thread(target=keep_running, args=(n, stop), name=n) for n in names or LOOPS]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(10)


if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - LOOPS.keys()
    if unknown:
        raise SystemExit(f"no loop is called {', '.join(sorted(unknown))}; there are {', '.join(LOOPS)}")
    log.set_up("backoffice", config.load().log_level)
    main(sys.argv[1:])
