"""Which ports a test process may use, so that those that run beside it on the same machine keep theirs."""

from __future__ import annotations

import os

from callcenter.embedded.services import free_port

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""Which of the processes of this test run we are: 0, 1 … (pytest-xdist)."""
_WORKERS, _EACH = 7, 100


def own_port(base: int) -> int:
    """A free port from `base` to `base` + 900. Processes of one test run begin to look a hundred apart; where other
    runs begin is left to chance."""
    return free_port(base + WORKER % _WORKERS * _EACH + os.getpid() % _EACH)
