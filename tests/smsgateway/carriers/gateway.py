"""What the tests of carriers stand on: enterprises with money, carriers with routes, sends with queued texts, and
whether all of it adds up in the end."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from callcenter import ids
from callcenter.clock import utc_now
from callcenter.db.session import platform_session
from callcenter.embedded.services import free_port
from callcenter.tenancy.models import Enterprise
from smsgateway import route_table, segments
from smsgateway.carriers.dispatch import Dispatcher, facts_of
from smsgateway.carriers.models import TextCarrier, TextRoute
from smsgateway.carriers.port import Carrier, Inbound, Listener
from smsgateway.models import TextSend
from smsgateway.purse import bookings
from smsgateway.sending import counts
from smsgateway.texts import RANK, Purpose, TextState

PRICE = 5


def a_port() -> int:
    """A free port for a peer."""
    return free_port(random.randrange(10_000, 31_000))


def clean() -> None:
    """Empty what the tests here write, which is much less to do than emptying everything."""
    tables = (
        "text_message, text_part, text_send, parked_receipt, ledger_entry, purse_reservation, purse_account,"
        " top_up_order, text_price, text_route, text_carrier, opt_out, blacklist_entry, parted_text, unclaimed_text"
    )
    with platform_session() as session:
        session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    route_table.forget()


def enterprise(available: int = 1_000_000) -> int:
    """A new enterprise with money for SMS."""
    code = ids.new_id().lower()
    with platform_session() as session:
        new = insert(Enterprise).values(code=code, name=code, country="CN").returning(Enterprise.id)
        tenant = int(session.execute(new).scalar_one())
        bookings.top_up(session, tenant, "sms", available, key="first")
    return tenant


def carrier(name: str, protocol: str = "smpp", *, prefixes: Sequence[str] = (), **more: Any) -> int:
    """A carrier with a route over it."""
    route = {k: more.pop(k) for k in ("priority", "weight") if k in more}
    with platform_session() as session:
        row = TextCarrier(name=name, protocol=protocol, **more)
        session.add(row)
        session.flush()
        session.add(
            TextRoute(name=f"over {name}", carrier_id=row.id, prefixes=list(prefixes), price_minor=PRICE, **route)
        )
    route_table.forget()
    return row.id


def phones(count: int, first: int = 0) -> list[str]:
    """`count` Chinese mobiles."""
    return [f"+86138{n:08d}" for n in range(first, first + count)]


def queue(
    tenant: int,
    carrier_id: int,
    recipients: Sequence[str],
    body: str = "Hello",
    *,
    purpose: Purpose = Purpose.SERVICE,
    created: datetime | None = None,
    due: datetime | None = None,
    valid_s: float = 3600.0,
    sender: str = "",
) -> int:
    """A send whose texts wait for `carrier_id`, as the preparer leaves them; its id."""
    counted = segments.count(body)
    now = utc_now()
    with platform_session() as session:
        route_id = session.scalar(text("SELECT id FROM text_route WHERE carrier_id = :c"), {"c": carrier_id})
        send = TextSend(
            tenant_id=tenant, key=ids.new_id(), kind="sms", purpose=purpose, source="api", body=body,
            audience={}, state="sending",
        )  # fmt: skip
        session.add(send)
        session.flush()
        for at in range(0, len(recipients), 2000):
            part = recipients[at : at + 2000]
            paid = bookings.reserve_up_to(
                session, tenant, "sms", [PRICE * counted.parts] * len(part), key=f"send:{send.id}:{at}", send_id=send.id
            )
            assert paid.count == len(part)
            session.execute(
                text("""
INSERT INTO text_message (tenant_id, send_id, phone_e164, encoding, segments, sender, state, rank, route_id, carrier_id,
  price_minor, reservation_id, not_before, expires_at, created_at)
SELECT :t, :s, phone, :e, :n, :sender, 'queued', :rank, :route, :c, :price, :r, :due, :until, :at
FROM unnest(CAST(:phones AS text[])) AS phone
"""),
                {
                    "t": tenant, "s": send.id, "e": counted.encoding.value, "n": counted.parts, "sender": sender,
                    "rank": RANK[purpose], "c": carrier_id, "price": PRICE, "r": paid.reservation_id,
                    "due": due or now, "until": (due or now) + timedelta(seconds=valid_s), "at": created or now,
                    "phones": list(part), "route": route_id,
                },
            )  # fmt: skip
        figures = {"asked": len(recipients), "queued": len(recipients), "segments": counted.parts * len(recipients)}
        counts.shift(session, {send.id: figures})
    return send.id


def pairs(session: Session, query: str, values: dict[str, Any]) -> dict[str, int]:
    """Rows of two columns as a dictionary."""
    return {row[0]: row[1] for row in session.execute(text(query), values)}


def states(send_id: int | None = None) -> dict[str, int]:
    """How many texts are in each state."""
    with platform_session() as session:
        query = (
            "SELECT state, count(*) FROM text_message WHERE CAST(:s AS bigint) IS NULL OR send_id = :s GROUP BY state"
        )
        return pairs(session, query, {"s": send_id})


def texts(send_id: int) -> dict[str, Any]:
    """The texts of a send by number."""
    with platform_session() as session:
        rows = session.execute(text("SELECT * FROM text_message WHERE send_id = :s"), {"s": send_id})
        return {r.phone_e164: r for r in rows}


def send(send_id: int) -> TextSend:
    """A send's row."""
    with platform_session() as session:
        return session.get_one(TextSend, send_id)


def adds_up() -> None:
    """Sends count what their texts are; money is where the texts are; each booking and all of them sum to zero."""
    with platform_session() as session:
        for row in session.execute(text("SELECT * FROM text_send")).mappings():
            query = "SELECT state, count(*) FROM text_message WHERE send_id = :s GROUP BY state"
            own = pairs(session, query, {"s": row["id"]})
            told = {s.value: row[s.value] for s in TextState if row[s.value]}
            assert told == own, f"send {row['id']} tells {told}, its texts are {own}"
            assert sum(own.values()) == row["asked"]
            charged = session.scalar(
                text("SELECT sum(charged_minor) FROM text_message WHERE send_id = :s"), {"s": row["id"]}
            )
            assert row["charged_minor"] == (charged or 0)
            gone = text("""
SELECT coalesce(sum(segments), 0) FROM text_message WHERE send_id = :s AND
  (state IN ('queued', 'submitting', 'submitted', 'doubtful', 'delivered') OR submitted_at IS NOT NULL)
""")
            assert row["segments"] == session.scalar(gone, {"s": row["id"]}), "segments of what went or still goes"
        assert not session.scalar(text("SELECT coalesce(sum(amount_minor), 0) FROM ledger_entry"))
        unbalanced = "SELECT booking FROM ledger_entry GROUP BY booking HAVING sum(amount_minor) <> 0"
        assert not session.execute(text(unbalanced)).all()
        for account in session.execute(text("SELECT * FROM purse_account")):
            query = "SELECT side, sum(amount_minor) FROM ledger_entry WHERE account_id = :a GROUP BY side"
            sides = pairs(session, query, {"a": account.id})
            assert sides.get("available", 0) == account.available_minor
            assert sides.get("reserved", 0) == account.reserved_minor
        held, spent = session.execute(
            text("SELECT coalesce(sum(held_minor), 0), coalesce(sum(settled_minor), 0) FROM purse_reservation")
        ).one()
        waiting, charged = session.execute(
            text("""
SELECT coalesce(sum(price_minor * segments) FILTER (WHERE state IN ('queued', 'submitting', 'doubtful')
    AND reservation_id IS NOT NULL), 0), coalesce(sum(charged_minor), 0) FROM text_message
""")
        ).one()
        assert (held, spent) == (waiting, charged), "reserved and spent are what the texts say"


async def until(true: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """Wait for something to be true; it is asked in a thread."""
    end = time.monotonic() + timeout_s
    while True:
        found = await asyncio.to_thread(true)
        if found:
            return found
        assert time.monotonic() < end, f"not within {timeout_s} s; texts are {await asyncio.to_thread(states)}"
        await asyncio.sleep(0.03)


class Running:
    """A dispatcher in this process, over the carriers' real protocols (or stand-ins of `connections`)."""

    def __init__(self, carrier_ids: Iterable[int], folder: Path, connections: dict[int, Any] | None = None) -> None:
        self.inbound: list[Inbound] = []
        with platform_session() as session:
            rows = {i: session.get_one(TextCarrier, i) for i in carrier_ids}
        given = connections or {}

        def connect(carrier_id: int, listener: Listener) -> Carrier:
            from callcenter.processes import texts as process

            made: Carrier = (
                given[carrier_id](listener) if carrier_id in given else process.connect(rows[carrier_id], listener)
            )
            return made

        self.dispatcher = Dispatcher(
            f"test/{ids.new_id()}", [facts_of(r) for r in rows.values()], connect,
            lambda texts, _carrier: self.inbound.extend(texts), folder,
        )  # fmt: skip

    async def __aenter__(self) -> Running:
        await self.dispatcher.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.dispatcher.stop(2.0)
