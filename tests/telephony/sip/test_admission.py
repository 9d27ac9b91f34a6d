"""Whose calls are let in (SIPp): by address, by password, within limits; and a flood that harms nobody else."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from callcenter.telephony.ports import InboundAuth, InboundCall, LegAnswered, TrunkHealth
from tests.sip.sipp import Sipp, SippResult, follow, free_port, pause, recv, scenario, sdp, send, start
from tests.telephony.sip.harness import LOCAL, Engine, run, running, trunk

pytestmark = [pytest.mark.interop, pytest.mark.promise("I1")]

ELSEWHERE = "127.0.0.2"  # an address that no trunk's host has
PASSWORD = {"inbound_auth": InboundAuth.DIGEST, "inbound_username": "branch", "inbound_password": "s3cret"}


def refused(status: int, **more: Any) -> str:
    return scenario(start(body=sdp(), **more), recv(status, save=True), follow("ACK", same_branch=True))


def accepted(hold_ms: int = 50, cseq: int = 1) -> tuple[str, ...]:
    return (recv(200, save=True), follow("ACK", cseq=cseq), pause(hold_ms), follow("BYE", cseq=9), recv(200))


def with_password(*after: str, username: str = "branch", password: str = "s3cret") -> str:
    secret = f"[authentication username={username} password={password}]"
    return scenario(
        start(body=sdp()), recv(401, auth=True), follow("ACK", same_branch=True),
        start(body=sdp(), cseq=2, headers=secret), *after,
    )  # fmt: skip


async def calls(engine: Engine, steps: str, ip: str = ELSEWHERE, **options: Any) -> SippResult:
    sipp = await Sipp.start(steps, remote=("127.0.0.1", engine.port.port), ip=ip, **options)
    return await sipp.finish()


def answering(engine: Engine) -> None:
    """Every call that comes in is answered at once."""
    tell = engine.on_event

    def on_event(event: Any) -> None:
        tell(event)
        if isinstance(event, InboundCall):
            engine.port.accept(event.leg_id, LOCAL)

    engine.port._on_event = on_event


def test_call_from_an_allowed_source_comes_in_by_its_trunk_and_one_from_elsewhere_does_not() -> None:
    async def check() -> None:
        async with running() as engine:
            answering(engine)
            engine.port.set_trunks({3: trunk(5060, trunk_id=3, host="127.0.0.9", inbound_sources=("127.0.0.2/31",))})
            good = await calls(engine, scenario(start(body=sdp()), recv(100), *accepted()))
            bad = await calls(engine, refused(403), ip="127.0.0.4")
            assert [c.trunk_id for c in engine.of(InboundCall)] == [3]
        assert (good.successful, bad.successful) == (1, 1), good.errors + bad.errors

    run(check())


def test_trunk_that_lets_nobody_in_refuses_its_own_host() -> None:
    async def check() -> None:
        async with running() as engine:
            port = free_port()
            engine.port.set_trunks({3: trunk(port, trunk_id=3, inbound=False)})
            result = await calls(engine, refused(403), ip="127.0.0.1", port=port)
            assert engine.of(InboundCall) == []
        assert result.successful == 1, result.errors

    run(check())


def test_caller_with_the_trunks_password_is_challenged_once_and_let_in() -> None:
    async def check() -> None:
        async with running() as engine:
            answering(engine)
            engine.port.set_trunks({3: trunk(5060, trunk_id=3, host="127.0.0.9", **PASSWORD)})
            result = await calls(engine, with_password(recv(100), *accepted(cseq=2)))
            assert [c.trunk_id for c in engine.of(InboundCall)] == [3]
            assert len(engine.of(LegAnswered)) == 1
        assert (result.successful, result.failed) == (1, 0), result.errors
        assert 'WWW-Authenticate: Digest realm="callcenter"' in result.messages

    run(check())


def test_digest_trunks_own_address_is_no_proof() -> None:
    async def check() -> None:
        async with running() as engine:
            port = free_port()
            engine.port.set_trunks({3: trunk(port, trunk_id=3, **PASSWORD)})
            result = await calls(engine, refused(401), ip="127.0.0.1", port=port)
            assert engine.of(InboundCall) == []
        assert result.successful == 1, result.errors

    run(check())


def test_wrong_password_is_refused_and_after_some_not_even_the_right_one_helps() -> None:
    async def check() -> None:
        async with running() as engine:
            answering(engine)
            engine.port.set_trunks({3: trunk(5060, trunk_id=3, host="127.0.0.9", **PASSWORD)})
            no = (recv(403, save=True), follow("ACK", same_branch=True, cseq=2))
            wrong = await calls(engine, with_password(*no, password="guess"), calls=10, rate=5)
            late = await calls(engine, with_password(*no))
            elsewhere = await calls(engine, with_password(recv(100), *accepted(cseq=2)), ip="127.0.0.3")
            assert len(engine.of(InboundCall)) == 1
        assert (wrong.successful, late.successful, elsewhere.successful) == (10, 1, 1), wrong.errors + late.errors

    run(check())


def test_password_serves_only_from_the_sources_that_the_trunk_allows() -> None:
    async def check() -> None:
        async with running() as engine:
            spec = trunk(5060, trunk_id=3, host="127.0.0.9", inbound_sources=("127.0.0.3",), **PASSWORD)
            engine.port.set_trunks({3: spec})
            result = await calls(engine, refused(403))
        assert result.successful == 1, result.errors

    run(check())


def test_call_beyond_the_trunks_channels_is_told_to_come_again_and_the_ones_that_are_up_stay() -> None:
    async def check() -> None:
        async with running() as engine:
            answering(engine)
            port = free_port()
            engine.port.set_trunks({3: trunk(port, trunk_id=3, inbound_channels=1)})
            up = await Sipp.start(
                scenario(start(body=sdp()), recv(100), *accepted(1200)),
                remote=("127.0.0.1", engine.port.port),
                port=port,
            )
            await engine.wait(LegAnswered)
            full = await calls(engine, refused(503), ip="127.0.0.1")
            first = await up.finish()
            again = await calls(engine, scenario(start(body=sdp()), recv(100), *accepted()), ip="127.0.0.1")
        assert (first.successful, full.successful, again.successful) == (1, 1, 1), first.errors + full.errors
        assert "retry-after: 5" in full.messages.lower()

    run(check())


def test_calls_faster_than_the_trunk_may_are_put_off_and_one_a_second_later_comes_in() -> None:
    async def check() -> None:
        async with running() as engine:
            answering(engine)
            engine.port.set_trunks({3: trunk(5060, trunk_id=3, inbound_cps=1.0)})
            one = scenario(start(body=sdp()), recv(100), *accepted())
            both = await calls(engine, one, ip="127.0.0.1", calls=2)
            fast = await calls(engine, refused(503), ip="127.0.0.1")
            await asyncio.sleep(1.0)
            later = await calls(engine, one, ip="127.0.0.1")
        assert (both.successful, fast.successful, later.successful) == (2, 1, 1), both.errors + fast.errors

    run(check())


def test_of_two_trunks_at_one_address_the_one_with_the_dialed_number_has_the_call() -> None:
    async def check() -> None:
        async with running() as engine:
            answering(engine)
            engine.port.set_trunks(
                {
                    3: trunk(5060, trunk_id=3, numbers=("+862155550100",)),
                    4: trunk(5060, trunk_id=4, numbers=("+862155550101",)),
                }
            )
            steps = scenario(start(body=sdp(), to="02155550101"), recv(100), *accepted())
            result = await calls(engine, steps, ip="127.0.0.1")
            assert [c.trunk_id for c in engine.of(InboundCall)] == [4]
        assert result.successful == 1, result.errors

    run(check())


def test_changed_numbers_and_limits_disturb_neither_registration_nor_health_check() -> None:
    async def check() -> None:
        async with running() as engine:
            engine.port.set_trunks({3: trunk(free_port(), trunk_id=3)})
            await engine.wait(TrunkHealth)
            engine.port.set_trunks({3: trunk(engine.port._trunks.spec(3).port, trunk_id=3, numbers=("+862155550100",))})
            await asyncio.sleep(0.2)
            assert len(engine.of(TrunkHealth)) == 1
            engine.port.set_trunks({3: trunk(free_port(), trunk_id=3)})
            await engine.wait(TrunkHealth, count=2)

    run(check())


def test_flood_from_one_address_is_limited_and_harms_neither_calls_that_are_up_nor_new_ones(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def check() -> None:
        async with running() as engine:
            answering(engine)
            port = free_port()
            engine.port.set_trunks({3: trunk(port, trunk_id=3)})
            up = await Sipp.start(
                scenario(start(body=sdp()), recv(100), *accepted(4000)),
                remote=("127.0.0.1", engine.port.port),
                port=port,
            )
            await engine.wait(LegAnswered)
            flood = await Sipp.start(
                scenario(start(body=sdp()), recv(403, save=True), follow("ACK", same_branch=True)),
                remote=("127.0.0.1", engine.port.port),
                ip=ELSEWHERE,
                calls=4000,
                rate=1000,
            )
            await asyncio.sleep(1.0)
            during = await calls(engine, scenario(start(body=sdp()), recv(100), *accepted()), ip="127.0.0.1", calls=5)
            first = await up.finish()
            await flood.kill()
            assert engine.port._gate is not None
            assert engine.port._gate.dropped > 500
            assert len(engine.of(InboundCall)) == 6
        assert (first.successful, first.failed, during.successful) == (1, 0, 5), first.errors + during.errors
        assert (first.retransmissions, during.retransmissions) == (0, 0)

    with caplog.at_level(logging.WARNING):
        run(check())
    assert f"too many packets from {ELSEWHERE}" in caplog.text
    assert len([r for r in caplog.records if ELSEWHERE in r.getMessage()]) <= 4


def test_behind_a_nat_the_public_address_stands_in_via_contact_and_session_description() -> None:
    async def check() -> None:
        async with running(advertised_host="203.0.113.5", advertised_port=5070) as engine:
            answering(engine)
            engine.port.set_trunks({3: trunk(5060, trunk_id=3)})
            came_in = await calls(
                engine, scenario(start(body=sdp()), recv(100), recv(200, save=True), pause(50)), ip="127.0.0.1"
            )
            carrier = await Sipp.start(scenario(recv("INVITE"), send(486), recv("ACK")))
            engine.call(carrier.port)
            await engine.ended()
            went_out = await carrier.finish()
            for leg in engine.of(InboundCall):
                engine.port.hangup(leg.leg_id)
        assert "Contact: <sip:4000@203.0.113.5:5070>" in came_in.messages
        assert "c=IN IP4 203.0.113.5" in came_in.messages.split("200 OK")[1]
        assert "Via: SIP/2.0/UDP 203.0.113.5:5070" in went_out.messages
        assert "c=IN IP4 203.0.113.5" in went_out.messages

    run(check())
