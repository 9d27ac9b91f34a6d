"""What facts of queues make of tables: each stay, each ringing, each kept place, however the facts come."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import select

from callcenter.acd.models import Queue
from callcenter.auth.models import User
from callcenter.calls import facts as f
from callcenter.calls import waiting
from callcenter.calls.models import Call, CallOffer, CallQueueStay, QueueCallback
from callcenter.clock import to_utc
from callcenter.db.session import platform_session, tenant_session
from callcenter.events.envelope import FACTS, Envelope
from callcenter.tenancy.actions import open_enterprise

T = 1_790_000_000.0
PHONE = "+8613900000077"


@pytest.mark.promise("R3", "I4")
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("at_once", [True, False])
def test_stays_offers_and_kept_places_are_stored_as_they_were(at_once: bool) -> None:
    with platform_session() as session:
        tenant = open_enterprise(session, "acme", "acme", "CN", "Asia/Shanghai", "owner", "Only-for-tests-1")
    with tenant_session(tenant) as session:
        agent = User(username="agent1", name="Agent 1", password_hash="", locale="en")
        sales, service = Queue(name="Sales"), Queue(name="Service")
        session.add_all([agent, sales, service])
        session.flush()
        user, first, second = agent.id, sales.id, service.id
        session.add(Call(id="c1", phone_e164=PHONE, started_at=to_utc(T), direction="in", outcome="abandoned"))
    facts: list[object] = [
        f.CallQueued("c1", first, T, T, 0, PHONE),
        f.CallOffered("c1", first, user, T + 1),
        f.OfferEnded("c1", first, user, T + 16, "no_answer", 15.0),
        f.CallLeftQueue("c1", first, T + 40, 40.0, "overflow"),
        f.CallQueued("c1", second, T + 40, T, 2, PHONE),
        f.CallLeftQueue("c1", second, T + 50, 10.0, "transferred"),
        f.CallQueued("c1", first, T + 50, T + 50, 0, PHONE),
        f.CallOffered("c1", first, user, T + 51),
        f.OfferEnded("c1", first, user, T + 55, "gone", 4.0),
        f.CallLeftQueue("c1", first, T + 60, 10.0, "callback"),
        f.CallbackKept("t1", "c1", first, PHONE, T + 60, T + 3660),
        f.CallbackTicketEnded("t1", first, T + 900, "connected", "c2"),
        f.VoicemailLeft("c1", "r1", PHONE, "", None, user, None, 4.0, T + 61),
    ]
    told = [(FACTS.pack(fact, tenant=tenant, at=T + n), fact) for n, fact in enumerate(facts)]
    batches: list[list[tuple[Envelope, object]]] = [told] if at_once else [[one] for one in told]
    for batch in batches:
        with tenant_session(tenant) as session:
            waiting.fold(session, batch)
    with tenant_session(tenant) as session:
        stays = session.scalars(select(CallQueueStay).order_by(CallQueueStay.entered_at)).all()
        assert [(s.queue_id, s.how, s.wait_s) for s in stays] == [
            (first, "overflow", 40.0), (second, "transferred", 10.0), (first, "callback", 10.0),
        ]  # fmt: skip
        assert stays[1].since == to_utc(T) and stays[1].priority == 2
        assert all(a.left_at == b.entered_at for a, b in itertools.pairwise(stays))
        offers = session.scalars(select(CallOffer).order_by(CallOffer.offered_at)).all()
        assert [(o.how, o.rang_s) for o in offers] == [("no_answer", 15.0), ("gone", 4.0)]
        [kept] = session.scalars(select(QueueCallback)).all()
        assert (kept.how, kept.dialed_call_id) == ("connected", "c2")
        [call] = session.scalars(select(Call)).all()
        assert (call.queue_id, call.outcome) == (first, "voicemail")
