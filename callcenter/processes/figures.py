"""Figures of a family of processes, shown to Prometheus by the one that started them.

Each child writes its own into files of a folder (PROMETHEUS_MULTIPROC_DIR). A child's files go with it: its counters
begin at nothing again, as those of any process do, and a series never counts somebody who is dead.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

log = logging.getLogger(__name__)


class _Stoppable(Protocol):
    def shutdown(self) -> None: ...

    def server_close(self) -> None: ...


class _Folder(Collector):
    """Reads the folder anew at each question."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def collect(self) -> Iterable[Metric]:
        found: Iterable[Metric] = MultiProcessCollector(None, str(self.path)).collect()  # type: ignore[no-untyped-call]  # the library has no types here
        return found


class Shown:
    """A folder of figures, and the address where they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server: _Stoppable | None = None
        shutil.rmtree(folder, ignore_errors=True)  # those of the last run
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """What children need to be told."""
        return {"PROMETHEUS_MULTIPROC_DIR": str(self.folder)}

    def serve(self, host: str, port: int) -> None:
        """Answer `GET /metrics` on `host`:`port`; 0: nowhere. A port that is taken is logged, and nothing else."""
        if not port:
            return
        registry = CollectorRegistry()
        registry.register(_Folder(self.folder))
        try:
            self._server, _ = start_http_server(port, host, registry)
        except OSError as error:
            log.error("figures can't be shown on %s:%d: %s", host, port, error)

    def forget(self, pid: int) -> None:
        """A child has ended."""
        for file in self.folder.glob(f"*_{pid}.db"):
            file.unlink(missing_ok=True)

    def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
