"""The engine's SIP against the demo carrier's: two stacks that share no code agree on every outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from callcenter.telephony.ports import (
    Cause,
    LegAnswered,
    LegEarlyMedia,
    LegEnded,
    MediaAddress,
    Sdp,
    SipEvent,
    TrunkHealth,
    TrunkSpec,
)
from callcenter.telephony.sip.adapter import SippyPort
from demo.subscribers import FAST, Kind, demo_numbers, subscriber
from tests.demo.peers import CarrierProcess, audio_socket, free_port, heard

pytestmark = pytest.mark.interop
OPEN, REGISTERED = 1, 2


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CarrierProcess]:
    running = CarrierProcess(
        tmp_path_factory.mktemp("carrier"), DEMO_CARRIER_FAST="1", DEMO_CARRIER_ACCOUNTS="office:secret"
    )
    yield running
    assert running.stop() == 0


class Engine:
    """A SippyPort with a trunk to the carrier, and all it told."""

    def __init__(self, carrier: CarrierProcess) -> None:
        self.events: list[SipEvent] = []
        self.sip = SippyPort("127.0.0.1", free_port())
        self._carrier = carrier

    async def __aenter__(self) -> Engine:
        await self.sip.start(self.events.append)
        port = self._carrier.port
        self.sip.set_trunks(
            {
                OPEN: TrunkSpec(OPEN, "127.0.0.1", port),
                REGISTERED: TrunkSpec(
                    REGISTERED, "127.0.0.1", port, username="office", password="secret", register=True
                ),
            }
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sip.stop()

    def of(self, leg: str) -> list[SipEvent]:
        return [event for event in self.events if event.leg_id == leg]

    async def until(self, found: Callable[[], bool], seconds: float = 8.0) -> None:
        for _ in range(int(seconds / 0.02)):
            if found():
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"not within {seconds} s: {self.events}")


def run(carrier: CarrierProcess, story: Callable[[Engine], Awaitable[None]]) -> None:
    async def main() -> None:
        async with Engine(carrier) as engine:
            await asyncio.wait_for(story(engine), 40)

    asyncio.run(main())


def test_sixty_numbers_end_as_their_subscribers_say(carrier: CarrierProcess) -> None:
    numbers = demo_numbers(60)
    wanted = {Kind.BUSY: Cause.BUSY, Kind.INVALID: Cause.INVALID, Kind.NO_ANSWER: Cause.NO_ANSWER}

    async def story(engine: Engine) -> None:
        with audio_socket() as sock:
            local = Sdp(MediaAddress("127.0.0.1", sock.getsockname()[1]))
            for number in numbers:
                engine.sip.originate(number, OPEN, number, "+861065001234", local, ring_timeout_s=2.0)
            await asyncio.sleep(1.5)
            for number in numbers:
                if any(isinstance(event, LegAnswered) for event in engine.of(number)):
                    engine.sip.hangup(number)
            await engine.until(lambda: all(isinstance(engine.of(n)[-1], LegEnded) for n in numbers if engine.of(n)))
        for number in numbers:
            who, told = subscriber(number, FAST), engine.of(number)
            ended = told[-1]
            assert isinstance(ended, LegEnded)
            assert ended.cause is wanted.get(who.kind, Cause.NORMAL), (who, told)
            assert any(isinstance(event, LegAnswered) for event in told) == (who.kind not in wanted)
            if who.early_media and who.kind not in (Kind.BUSY, Kind.INVALID):
                assert any(isinstance(event, LegEarlyMedia) for event in told)
            assert sum(isinstance(event, LegEnded) for event in told) == 1

    run(carrier, story)


def test_hold_and_resume_of_the_engine_stop_and_start_the_subscribers_audio(carrier: CarrierProcess) -> None:
    async def story(engine: Engine) -> None:
        with audio_socket() as sock:
            address = MediaAddress("127.0.0.1", sock.getsockname()[1])
            engine.sip.originate("leg", OPEN, demo_numbers(1)[0], "+861065001234", Sdp(address), ring_timeout_s=5.0)
            await engine.until(lambda: any(isinstance(event, LegAnswered) for event in engine.events))
            await asyncio.sleep(0.3)
            engine.sip.send_hold("leg", Sdp(address, direction="sendonly"))
            await asyncio.sleep(0.2)
            assert heard(sock)
            await asyncio.sleep(0.5)
            assert not heard(sock)
            engine.sip.send_hold("leg", Sdp(address))
            await asyncio.sleep(0.5)
            assert heard(sock)
            engine.sip.hangup("leg")
            await engine.until(lambda: isinstance(engine.of("leg")[-1], LegEnded))

    run(carrier, story)


def test_trunks_of_both_sorts_come_up(carrier: CarrierProcess) -> None:
    async def story(engine: Engine) -> None:
        def up(trunk: int) -> bool:
            return any(isinstance(e, TrunkHealth) and e.trunk_id == trunk and e.up for e in engine.events)

        await engine.until(lambda: up(OPEN) and up(REGISTERED))
        registered = [e for e in engine.events if isinstance(e, TrunkHealth) and e.trunk_id == REGISTERED and e.up]
        assert registered[-1].registered is True

    run(carrier, story)
