"""Figures of the processes that send texts, for Prometheus (docs/operating.md lists them).

Each process counts its own; where PROMETHEUS_MULTIPROC_DIR is set they meet in that folder, from which the supervisor
shows them all (`callcenter.processes.figures`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy import text
from sqlalchemy.orm import Session

from smsgateway.carriers.port import Accepted, Health, Lost, Outcome, Receipt, Rejected

SUBMITTED = Counter("texts_submitted", "Texts given to a carrier, by what it said", ["carrier", "outcome"])
THROTTLED = Counter("texts_throttled", "Pauses that a carrier asked for", ["carrier"])
RECEIPTS = Counter("texts_receipts", "Receipts of carriers, repeated ones too", ["carrier", "status"])
INBOUND = Counter("texts_inbound", "Texts and parts of texts that came in and are stored", ["carrier"])
FLUSH = Histogram(
    "texts_flush_seconds",
    "Time to store a batch of outcomes and receipts, seconds",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
_LIVE: Final = "livesum"  # over the processes that run; each carrier is with one of them
UNSTORED = Gauge("texts_unstored", "Outcomes and receipts that wait to be stored", multiprocess_mode=_LIVE)
IN_FLIGHT = Gauge("texts_in_flight", "Texts that a carrier has not answered", ["carrier"], multiprocess_mode=_LIVE)
LEASED = Gauge("texts_leased", "Texts that a process holds, to leave next", ["carrier"], multiprocess_mode=_LIVE)
UP = Gauge("texts_carrier_up", "1: texts can leave over the carrier", ["carrier"], multiprocess_mode=_LIVE)
BINDS = Gauge("texts_binds", "Connections that are up", ["carrier"], multiprocess_mode=_LIVE)
BINDS_WANTED = Gauge("texts_binds_wanted", "Connections that should be up", ["carrier"], multiprocess_mode=_LIVE)

MOST_COUNTED = 100_000
QUEUED = Gauge(
    "texts_queued", f"Texts queued for a carrier, counted up to {MOST_COUNTED}", ["carrier"], multiprocess_mode=_LIVE
)
WAITING = Gauge("texts_waiting", "Texts of sends that are not done, by state", ["state"], multiprocess_mode=_LIVE)
PARKED = Gauge("texts_parked_receipts", "Receipts for no text we know", ["carrier"], multiprocess_mode=_LIVE)
PARTED = Gauge("texts_parted", "Incoming texts that wait for parts", multiprocess_mode=_LIVE)


class CarrierFigures:
    """What is counted of one carrier. `name`: its label."""

    def __init__(self, name: str) -> None:
        self._outcomes = {o: SUBMITTED.labels(name, o) for o in ("accepted", "rejected", "returned", "lost")}
        self.throttled = THROTTLED.labels(name)
        self.inbound = INBOUND.labels(name)
        self._in_flight, self._leased = IN_FLIGHT.labels(name), LEASED.labels(name)
        self._up, self._binds, self._wanted = UP.labels(name), BINDS.labels(name), BINDS_WANTED.labels(name)
        self.name = name

    def came(self, outcome: Outcome) -> None:
        """A carrier answered, or can't any more."""
        match outcome:
            case Accepted():
                self._outcomes["accepted"].inc()
            case Rejected():
                self._outcomes["rejected"].inc()
            case Lost():
                self._outcomes["lost"].inc()
            case _:
                self._outcomes["returned"].inc()

    def told(self, receipt: Receipt) -> None:
        """A receipt is stored."""
        RECEIPTS.labels(self.name, receipt.status.value).inc()

    def show(self, health: Health, in_flight: int, leased: int) -> None:
        """How it is now."""
        self._up.set(health.up)
        self._binds.set(health.binds_up)
        self._wanted.set(health.binds)
        self._in_flight.set(in_flight)
        self._leased.set(leased)


_QUEUED = text("""
SELECT c.name, (SELECT count(*) FROM (SELECT FROM text_message m WHERE m.carrier_id = c.id AND m.state = 'queued'
  LIMIT :most) q) FROM text_carrier c
""")
_WAITING = text("""
SELECT coalesce(sum(queued), 0) AS queued, coalesce(sum(approval), 0) AS approval,
  coalesce(sum(submitting), 0) AS submitting
FROM text_send WHERE state IN ('preparing', 'approval', 'sending')
""")
_PARKED = text("""
SELECT c.name, count(p.id) FROM text_carrier c LEFT JOIN parked_receipt p ON p.carrier_id = c.id GROUP BY c.name
""")
_PARTED = text("SELECT count(*) FROM parted_text WHERE taken_at IS NULL")


class Tables:
    """Figures that only the database knows, shown by one process of an installation."""

    def __init__(self) -> None:
        self._shown: dict[Gauge, set[str]] = {QUEUED: set(), PARKED: set()}

    def show(self, session: Session) -> None:
        """Read and show them. `session`: of the platform."""
        self._each(QUEUED, session.execute(_QUEUED, {"most": MOST_COUNTED}).all())
        self._each(PARKED, session.execute(_PARKED).all())
        for state, count in session.execute(_WAITING).one()._asdict().items():
            WAITING.labels(state).set(count)
        PARTED.set(session.scalar(_PARTED) or 0)

    def _each(self, gauge: Gauge, rows: Iterable[Any]) -> None:
        now = {row[0]: row[1] for row in rows}
        for name in self._shown[gauge] - now.keys():  # a carrier that is gone; a figure can't be taken back
            gauge.labels(name).set(0)
        for name, count in now.items():
            gauge.labels(name).set(count)
        self._shown[gauge] |= now.keys()
