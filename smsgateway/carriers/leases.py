"""Which of the waiting texts go next, and taking them.

A lease takes a share of every send that waits (`share`: ranks strictly in order, then enterprises alike, then the sends
of each), so that a million texts of one do not hold back the single one of another. What is leased is `submitting`, and
that is committed before anything is written. Locks in the order of `sending.counts`: texts, sends, purse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from callcenter import config, wire
from smsgateway import route_table
from smsgateway.carriers.port import Attachment, Outgoing
from smsgateway.carriers.rejudging import Waited, rejudge
from smsgateway.checks.verdict import Hold, Refusal
from smsgateway.purse import bookings
from smsgateway.purse.bookings import Line
from smsgateway.routing import Chosen, RouteTable
from smsgateway.sending import counts
from smsgateway.texts import Kind, Purpose

JUDGED_AGAIN_AFTER_S: Final = 60.0
MOST_SENDS: Final = 2000
FROM_START_S: Final = 0.25  # how often the whole queue is looked at; between, a lease goes on where the last one ended


@dataclass(frozen=True, slots=True)
class Waiting:
    """A send that has texts queued with a carrier, in one rank."""

    rank: int
    tenant_id: int
    send_id: int


@dataclass(frozen=True, slots=True)
class SendFacts:
    """What all texts of a send share."""

    tenant_id: int
    kind: Kind
    purpose: Purpose
    body: str
    subject: str
    media: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True)
class Leased:
    """A text in this process's hands. `cost_minor`: reserved for it, all segments."""

    id: int
    tenant_id: int
    send_id: int
    carrier_id: int
    rank: int
    segments: int
    cost_minor: int
    reservation_id: int | None
    attempts: int
    outgoing: Outgoing


Ends = dict[tuple[int, int], tuple[datetime, int]]  # (rank, send) → due and id of the last text that was picked


@dataclass(slots=True)
class _Queue:
    """What waited for a carrier `at` some moment, and how far each send was leased since, by rank and send."""

    at: datetime
    waiting: list[Waiting]
    ends: Ends = field(default_factory=dict)


_START: Final = (datetime(1970, 1, 1, tzinfo=UTC), 0)


def share(waiting: Sequence[Waiting], room: int, turn: int) -> list[tuple[Waiting, int]]:
    """How many texts each send may give, `room` at most in all, in the order in which they are asked.

    Enterprises get alike, and so do the sends of one. `turn` says who is first when there is less room than sends.
    """
    if not waiting or room <= 0:
        return []
    by_tenant: dict[int, list[Waiting]] = {}
    for w in waiting:
        by_tenant.setdefault(w.tenant_id, []).append(w)
    tenants = sorted(by_tenant)
    tenants = tenants[turn % len(tenants) :] + tenants[: turn % len(tenants)]
    out: list[tuple[Waiting, int]] = []
    left = room
    for i, tenant in enumerate(tenants):
        own = -(-left // (len(tenants) - i))
        sends = by_tenant[tenant]
        sends = sends[turn % len(sends) :] + sends[: turn % len(sends)]
        for j, send in enumerate(sends):
            given = -(-own // (len(sends) - j))
            if given <= 0:
                break
            out.append((send, given))
            own -= given
            left -= given
        if left <= 0:
            break
    return out


# Behind a place: the sends that wait, each with whether its first text is due.
_WAITING = text("""
WITH RECURSIVE sends (rank, send_id, not_before) AS (
  (SELECT rank, send_id, not_before FROM text_message WHERE carrier_id = :carrier AND state = 'queued'
     AND (rank, send_id) > (:rank, :send) ORDER BY rank, send_id, not_before, id LIMIT 1)
  UNION ALL
  SELECT n.rank, n.send_id, n.not_before FROM sends s CROSS JOIN LATERAL (
    SELECT rank, send_id, not_before FROM text_message WHERE carrier_id = :carrier AND state = 'queued'
      AND (rank, send_id) > (s.rank, s.send_id) ORDER BY rank, send_id, not_before, id LIMIT 1
  ) n
)
SELECT w.rank, t.tenant_id, w.send_id, w.not_before <= :now AND t.state <> 'cancelled' AS due
FROM (SELECT * FROM sends LIMIT :most) w JOIN text_send t ON t.id = w.send_id
ORDER BY w.rank, w.send_id
""")
_COLUMNS = """m.id, m.tenant_id, m.send_id, m.rank, m.phone_e164, m.sender, m.body, m.encoding, m.segments,
  m.price_minor, m.reservation_id, m.attempts, m.route_id, m.not_before,
  extract(epoch FROM m.expires_at)::float8 AS expires_at,
  extract(epoch FROM m.created_at)::float8 AS judged_at"""
_PICK = text(f"""
SELECT {_COLUMNS} FROM unnest(CAST(:sends AS bigint[]), CAST(:room AS int[]), CAST(:dues AS timestamptz[]),
  CAST(:ids AS bigint[])) AS w(send_id, room, due, id) CROSS JOIN LATERAL (
  SELECT * FROM text_message q WHERE q.carrier_id = :carrier AND q.state = 'queued' AND q.rank = :rank
    AND q.send_id = w.send_id AND q.not_before <= :now AND q.id <> ALL(CAST(:picked AS bigint[]))
    AND (q.not_before, q.id) > (w.due, w.id)
  ORDER BY q.not_before, q.id LIMIT w.room FOR UPDATE SKIP LOCKED
) m
""")
_PICK_OF_DOWN = text(f"""
SELECT {_COLUMNS} FROM text_message m
WHERE m.carrier_id = :carrier AND m.state = 'queued' AND m.not_before <= :now
  AND (m.rank, m.send_id, m.not_before, m.id) > (:rank, :send, :due, :id)
ORDER BY m.rank, m.send_id, m.not_before, m.id LIMIT :room FOR UPDATE SKIP LOCKED
""")
_LEASE = text("""
UPDATE text_message SET state = 'submitting', leased_by = :by, leased_at = :now, attempts = attempts + 1
WHERE id = ANY(CAST(:ids AS bigint[]))
""")
_END = text("""
UPDATE text_message m SET state = n.state, check_name = n.check_name, rule = n.rule, detail = n.detail,
  final_at = :now, charged_minor = 0
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
  AS n(id bigint, state text, check_name text, rule text, detail jsonb)
WHERE m.id = n.id
""")
_HOLD = text("""
UPDATE text_message m SET not_before = to_timestamp(n.until)
FROM unnest(CAST(:ids AS bigint[]), CAST(:untils AS float8[])) AS n(id, until) WHERE m.id = n.id
""")
_ADOPT = text("""
UPDATE text_message m SET carrier_id = n.carrier_id, route_id = n.route_id, sender = n.sender,
  journey = coalesce(m.journey, '[]') || n.event
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
  AS n(id bigint, carrier_id bigint, route_id bigint, sender text, event jsonb)
WHERE m.id = n.id
""")


class Leases:
    """Takes texts for one process. `by`: who it is (`leased_by`). Used by one thread at a time."""

    def __init__(self, by: str) -> None:
        self.by = by
        self._turn = 0
        self._facts: dict[int, SendFacts] = {}
        self._seen: dict[int, tuple[int, int, datetime, int]] = {}  # how far a carrier that is down was looked through
        self._queues: dict[int, _Queue] = {}
        self._looked: dict[int, tuple[int, int]] = {}  # where the next look goes on, where there are very many sends

    def take(
        self, session: Session, carrier_id: int, room: Mapping[int, int], now: datetime, down: Iterable[int] = ()
    ) -> list[Leased]:
        """Lease texts of `carrier_id`, and of carriers that are `down` where this one is their other way.

        `room`: for each rank, how many texts of it or better ones there is room for. The texts, the best rank first.
        """
        self._turn += 1
        queue = self._queue(session, carrier_id, now)
        waiting = queue.waiting
        picked: list[Any] = []
        for carrier in down:
            picked += self._adopt(session, carrier, carrier_id, max(room.values(), default=0) // 2, now)
        for rank in sorted({w.rank for w in waiting}):
            left = room.get(rank, 0) - len(picked)
            of_rank = [w for w in waiting if w.rank == rank]
            while left > 0 and of_rank:
                given = share(of_rank, left, self._turn)
                rows = self._pick(session, carrier_id, rank, given, now, [r.id for r in picked], queue.ends)
                picked += rows
                left -= len(rows)
                came: dict[int, int] = {}
                for row in rows:
                    came[row.send_id] = came.get(row.send_id, 0) + 1
                # Who had less than its share has no more now; what is left goes to the others.
                of_rank = [w for w, n in given if came.get(w.send_id, 0) >= n]
                if not rows:
                    break
        if len(picked) < max(room.values(), default=0):
            self._queues.pop(carrier_id, None)
        return self._lease(session, carrier_id, picked, now)

    def _queue(self, session: Session, carrier: int, now: datetime) -> _Queue:
        """What waits, at most FROM_START_S ago: the index's first entries are those of texts that have gone, and to
        step over them with every lease would make a long queue slower the further it is worked off."""
        queue = self._queues.get(carrier)
        if queue is None or not 0 <= (now - queue.at).total_seconds() < FROM_START_S:
            queue = self._queues[carrier] = _Queue(now, self._waiting(session, carrier, now))
        return queue

    def _waiting(self, session: Session, carrier: int, now: datetime) -> list[Waiting]:
        """The first MOST_SENDS sends; of more, also the next MOST_SENDS behind those of the last look, so that each
        has its turn, however many are before it or wait for tomorrow."""
        first = self._look(session, carrier, (-1, 0), now)
        rows = {(r.rank, r.send_id): r for r in first}
        if len(first) < MOST_SENDS:
            self._looked.pop(carrier, None)
        else:
            end = first[-1].rank, first[-1].send_id
            more = self._look(session, carrier, max(end, self._looked.get(carrier, end)), now)
            rows |= {(r.rank, r.send_id): r for r in more}
            self._looked[carrier] = (more[-1].rank, more[-1].send_id) if len(more) == MOST_SENDS else end
        return [Waiting(r.rank, r.tenant_id, r.send_id) for _, r in sorted(rows.items()) if r.due]

    def _look(self, session: Session, carrier: int, behind: tuple[int, int], now: datetime) -> list[Any]:
        given = {"carrier": carrier, "rank": behind[0], "send": behind[1], "most": MOST_SENDS, "now": now}
        return list(session.execute(_WAITING, given))

    def _pick(
        self, session: Session, carrier: int, rank: int, given: Sequence[tuple[Waiting, int]], now: datetime,
        picked: Sequence[int], ends: Ends,
    ) -> list[Any]:  # fmt: skip
        # What this transaction has picked is locked by itself, which SKIP LOCKED does not pass over.
        from_ = [ends.get((rank, w.send_id), _START) for w, _ in given]
        values = {"sends": [w.send_id for w, _ in given], "room": [n for _, n in given], "picked": picked,
                  "dues": [due for due, _ in from_], "ids": [id_ for _, id_ in from_]}  # fmt: skip
        rows = list(session.execute(_PICK, {**values, "carrier": carrier, "rank": rank, "now": now}))
        for row in rows:
            ends[rank, row.send_id] = max(ends.get((rank, row.send_id), _START), (row.not_before, row.id))
        return rows

    def _adopt(self, session: Session, source: int, target: int, room: int, now: datetime) -> list[Any]:
        """Texts of `source`, which is down, for which `target` is the other way: given to it, at the reserved price."""
        if room <= 0:
            return []
        rank, send, due, id_ = self._seen.get(source, (-1, 0, now, 0))
        values = {"carrier": source, "now": now, "rank": rank, "send": send, "due": due, "id": id_, "room": room}
        rows = list(session.execute(_PICK_OF_DOWN, values))
        if len(rows) < room:
            self._seen.pop(source, None)
        else:
            self._seen[source] = (rows[-1].rank, rows[-1].send_id, rows[-1].not_before, rows[-1].id)
        facts = self.facts(session, {r.send_id for r in rows})
        taken: list[_Adopted] = []
        changes: list[dict[str, Any]] = []
        for row in rows:
            of = facts[row.send_id]
            table = route_table.of(of.tenant_id)
            other = table.others(row.phone_e164, of.kind, of.purpose, source)
            if other is None or other.carrier_id != target:
                continue
            event = {"at": now.timestamp(), "event": "failover", "from": source, "to": target}
            sender = _sender(row.sender, row.route_id, other, table)
            changes.append({"id": row.id, "carrier_id": target, "route_id": other.route_id, "sender": sender,
                            "event": [event]})  # fmt: skip
            taken.append(_Adopted(row, sender))
        if changes:
            session.execute(_ADOPT, {"rows": wire.to_json(changes).decode()})
        return taken

    def _lease(self, session: Session, carrier_id: int, picked: Sequence[Any], now: datetime) -> list[Leased]:
        if not picked:
            return []
        facts = self.facts(session, {r.send_id for r in picked})
        at = now.timestamp()
        ended: dict[int, dict[str, Any]] = {
            r.id: {"id": r.id, "state": "expired", "check_name": "", "rule": "", "detail": None}
            for r in picked
            if r.expires_at <= at
        }
        held: dict[int, float] = {}
        waited = [
            Waited(r.id, facts[r.send_id].tenant_id, r.phone_e164, facts[r.send_id].purpose, r.expires_at)
            for r in picked
            # One that came back was in no queue while somebody may have opted out.
            if (at - r.judged_at > JUDGED_AGAIN_AFTER_S or r.attempts) and r.id not in ended
        ]
        for id_, verdict in (rejudge(waited, at) if waited else {}).items():
            if isinstance(verdict, Refusal):
                detail = {"params": dict(verdict.params), "hits": []}
                ended[id_] = {"id": id_, "state": "refused", "check_name": verdict.check, "rule": verdict.rule,
                              "detail": detail}  # fmt: skip
            elif isinstance(verdict, Hold):
                held[id_] = verdict.until
        going = [r for r in picked if r.id not in ended and r.id not in held]
        changes: dict[int, dict[str, int]] = {}
        lines: list[Line] = []
        for r in picked:
            by = changes.setdefault(r.send_id, {"queued": 0, "submitting": 0, "expired": 0, "refused": 0})
            if r.id in ended:
                by["queued"] -= 1
                by["segments"] = by.get("segments", 0) - r.segments
                by[ended[r.id]["state"]] += 1
                if r.reservation_id is not None:
                    lines.append(Line(r.reservation_id, r.price_minor * r.segments, 1, r.segments))
            elif r.id not in held:
                by["queued"] -= 1
                by["submitting"] += 1
        if going:
            session.execute(_LEASE, {"ids": sorted(r.id for r in going), "by": self.by, "now": now})
        if ended:
            session.execute(_END, {"rows": wire.to_json(list(ended.values())).decode(), "now": now})
        if held:
            session.execute(_HOLD, {"ids": list(held), "untils": list(held.values())})
        counts.shift(session, changes)
        bookings.refund(session, lines)
        return [self._leased(r, facts[r.send_id], carrier_id) for r in going]

    def _leased(self, row: Any, facts: SendFacts, carrier_id: int) -> Leased:
        outgoing = Outgoing(
            row.id, row.phone_e164, row.sender, facts.kind, facts.body if row.body is None else row.body, row.encoding,
            row.segments, row.expires_at, facts.subject, facts.media,
        )  # fmt: skip
        return Leased(
            row.id, facts.tenant_id, row.send_id, carrier_id, row.rank, row.segments, row.price_minor * row.segments,
            row.reservation_id, row.attempts + 1, outgoing,
        )  # fmt: skip

    def facts(self, session: Session, send_ids: set[int]) -> Mapping[int, SendFacts]:
        """What the sends have in common for their texts; it never changes, so it is kept."""
        missing = [i for i in send_ids if i not in self._facts]
        if missing:
            if len(self._facts) > 500:
                self._facts.clear()
                missing = list(send_ids)
            query = text(
                "SELECT id, tenant_id, kind, purpose, body, subject, media FROM text_send"
                " WHERE id = ANY(CAST(:ids AS bigint[]))"
            )
            for r in session.execute(query, {"ids": missing}):
                media = tuple(
                    Attachment(str(config.load().var / m["path"]), str(m["type"]), str(m["name"])) for m in r.media
                )
                self._facts[r.id] = SendFacts(r.tenant_id, Kind(r.kind), Purpose(r.purpose), r.body, r.subject, media)
        return self._facts


class _Adopted:
    """A row with the sender of its new route."""

    def __init__(self, row: Any, sender: str) -> None:
        self._row, self.sender = row, sender

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)


def _sender(sender: str, route_id: int | None, other: Chosen, table: RouteTable) -> str:
    """The sender on the other route: a service number stays, what the old route gave goes."""
    given = next((r.sender for r in table.routes if r.id == route_id), "")
    return other.sender if sender == given else sender
