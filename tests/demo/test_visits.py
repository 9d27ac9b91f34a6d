"""Subscribers of the demo carrier call the enterprise: one at a time, they talk, and they end."""

from __future__ import annotations

import asyncio
import random
import socket
from pathlib import Path

import pytest

from callcenter.processes.democallers import number_to_call
from demo.carrier import Carrier
from demo.people import demo_people
from demo.settings import settings
from demo.subscribers import FAST, Kind
from demo.visit import KNOWN, visitor
from tests.demo.peers import free_port
from tests.sip.sipp import Sipp, pause, recv, request, scenario, sdp, send

DID = "+862155550100"
NUMBERS = {"number:1": {"e164": DID, "enabled": True}, "number:2": {"e164": "+862155550199", "enabled": False}}


async def _carrier(var: Path) -> Carrier:
    port = free_port(70)
    chosen = settings({"DEMO_CARRIER_PORT": str(port), "DEMO_CARRIER_FAST": "1", "DEMO_CARRIER_PHONES": "0"}, var)
    carrier = Carrier(chosen)
    await carrier.start()
    return carrier


async def _ended(carrier: Carrier) -> None:
    for _ in range(240):
        if carrier.outcomes:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the visit did not end")


@pytest.mark.interop
def test_a_visitor_is_answered_talks_and_takes_leave(tmp_path: Path) -> None:
    async def check() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
            ear.bind(("127.0.0.1", 0))
            ear.setblocking(False)
            body = sdp(port=ear.getsockname()[1])
            enterprise = await Sipp.start(
                scenario(recv("INVITE"), send(180), send(200, body=body), recv("ACK"), recv("BYE"), send(200))
            )
            carrier = await _carrier(tmp_path)
            try:
                assert carrier.call_in(DID, ("127.0.0.1", enterprise.port))
                assert not carrier.call_in(DID, ("127.0.0.1", enterprise.port)), "one at a time"
                await _ended(carrier)
                result = await enterprise.finish(3)
                packets = 0
                while packets < 5:
                    ear.recv(2048)
                    packets += 1
            finally:
                await carrier.stop()
        assert (result.successful, result.failed) == (1, 0), result.errors
        assert f"INVITE sip:{DID}@" in result.messages
        assert carrier.outcomes == {"visitor: subscriber hung up": 1}

    asyncio.run(check())


@pytest.mark.interop
def test_a_visitor_who_is_refused_or_hung_up_on_is_gone(tmp_path: Path) -> None:
    async def check() -> None:
        carrier = await _carrier(tmp_path)
        try:
            refusing = await Sipp.start(scenario(recv("INVITE"), send(404), recv("ACK")))
            assert carrier.call_in(DID, ("127.0.0.1", refusing.port))
            await _ended(carrier)
            await refusing.finish(2)
            leaving = await Sipp.start(
                scenario(
                    recv("INVITE"), send(200, body=sdp()), recv("ACK"), pause(200), request("BYE"), recv(200)
                )
            )  # fmt: skip
            assert carrier.call_in(DID, ("127.0.0.1", leaving.port))
            result = await leaving.finish(6)
            assert result.successful == 1, result.errors
        finally:
            await carrier.stop()
        assert carrier.outcomes == {"visitor: 404": 1, "visitor: bye": 1}

    asyncio.run(check())


def test_nobody_calls_while_no_agent_is_available_or_no_number_takes_calls() -> None:
    rng = random.Random(1)
    free, busy = {"agent:7": {"state": "available"}}, {"agent:7": {"state": "on_call"}, "agents": None}
    assert number_to_call(NUMBERS, busy, rng) is None
    assert number_to_call({"number:2": NUMBERS["number:2"]}, free, rng) is None
    assert number_to_call(NUMBERS, free, rng) == DID


def test_visitors_are_mostly_people_whom_the_enterprise_knows_and_all_talk() -> None:
    rng = random.Random(5)
    known = {p["phone_e164"] for p in demo_people(KNOWN)}
    guests = [visitor(rng, FAST) for _ in range(300)]
    assert {g.kind for g in guests} == {Kind.PERSON}
    assert all(g.hang_up_after_s is not None for g in guests)
    share = sum(f"+{g.number}" in known for g in guests) / len(guests)
    assert 0.7 < share < 0.9
