"""Whoever has opted out gets no marketing, in whatever order texts are asked for, made, leased, given back and STOP
comes: the real preparer, leases and intake over one database, driven by chance."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from callcenter.clock import utc_now
from callcenter.db.session import platform_session, tenant_session
from smsgateway.carriers import outcomes
from smsgateway.carriers.effects import Effects
from smsgateway.carriers.leases import Leased, Leases
from smsgateway.carriers.outcomes import Done
from smsgateway.carriers.policies import Policy
from smsgateway.carriers.port import Accepted, Inbound, Returned
from smsgateway.inbound import whose
from smsgateway.inbound.taking import take_all
from smsgateway.models import OptOut, TextMessage
from smsgateway.sending import preparer
from tests.smsgateway.sending.conftest import Gateway, gateway

__all__ = ["gateway"]
PHONES = [f"+861380000000{n}" for n in range(6)]
ROOM = {0: 50, 1: 50, 2: 4}


class Shift:
    """A process's life by single steps, each of which may come at any time."""

    def __init__(self, gateway: Gateway, seed: int) -> None:
        self.gateway, self.rng, self.now = gateway, random.Random(seed), utc_now()
        self.preparer = preparer.Preparer(2)
        self.preparer._next_rules = self.preparer._next_files = float("inf")
        self.leases = Leases("me")
        self.held: list[Leased] = []
        self.went = 0

    def ask(self) -> None:
        numbers = self.rng.sample(PHONES, self.rng.randint(1, len(PHONES)))
        self.gateway.ask("Offer", numbers, purpose=self.rng.choice(["marketing", "marketing", "service"]))

    def make(self) -> None:
        self.preparer.turn()

    def say(self) -> None:
        phone, word = self.rng.choice(PHONES), self.rng.choice(["STOP", "STOP", "START", "hello"])
        take_all([Inbound(phone, "10690001", word, self.now.timestamp(), str(self.rng.random()))], self.gateway.carrier)

    def lease(self) -> None:
        out = opted_out(self.gateway)
        with platform_session() as session:
            leased = self.leases.take(session, self.gateway.carrier, ROOM, self.now)
        assert not {t.outgoing.phone for t in leased if t.rank == 2} & out
        assert len({t.id for t in leased}) == len(leased), "no text is taken twice"
        self.held += leased
        self.went += len(leased)

    def answer(self) -> None:
        self.rng.shuffle(self.held)
        taken, self.held = self.held[:3], self.held[3:]
        done = [Done(t, Returned("throttled", 0.0) if self.rng.random() < 0.6 else Accepted((f"r{t.id}",)),
                     self.now.timestamp()) for t in taken]  # fmt: skip
        if done:
            with platform_session() as session:
                policies = {self.gateway.carrier: Policy()}
                effects = Effects()
                outcomes.store(session, done, policies, "me", {}, effects)
                effects.apply(session)

    def step(self) -> None:
        self.now += timedelta(seconds=self.rng.choice([0, 0.1, 5, 70]))
        self.rng.choice([self.ask, self.make, self.make, self.say, self.lease, self.lease, self.answer])()


def opted_out(gateway: Gateway) -> set[str]:
    with tenant_session(gateway.tenant) as db:
        return set(db.scalars(select(OptOut.phone_e164).where(OptOut.ended_at.is_(None))))


@pytest.mark.promise("S8")
@pytest.mark.parametrize("seed", [0])
def test_whoever_opted_out_gets_no_marketing_whatever_the_order(gateway: Gateway, seed: int) -> None:
    whose.forget()
    shift = Shift(gateway, seed)
    for _ in range(150):
        shift.step()
    with tenant_session(gateway.tenant) as db:
        sends = set(db.scalars(select(TextMessage.send_id)))
        cancelled = db.scalars(select(TextMessage.state).where(TextMessage.check_name == "opt_out")).all()
    assert shift.went > 20 and cancelled
    for send in sends:
        gateway.check(send)


@pytest.mark.promise("S8")
def test_a_stop_that_comes_while_a_batch_is_made_stops_its_texts_too(gateway: Gateway) -> None:
    whose.forget()
    for turn in range(4):
        send = gateway.ask("Offer", PHONES, purpose="marketing")
        phone = PHONES[turn % len(PHONES)]
        stop = Inbound(phone, "10690001", "STOP", utc_now().timestamp(), f"s{turn}")
        threads = [
            threading.Thread(target=gateway.prepare, args=(3,)),
            threading.Thread(target=take_all, args=([stop], gateway.carrier)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        texts = gateway.texts(send.id)
        assert len(texts) == len(PHONES)
        assert texts[phone].state in ("refused", "cancelled"), "made before or after: not queued"
        gateway.check(send.id)
