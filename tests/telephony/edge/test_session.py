"""A session of our own edge with a WebRTC peer in Python: whose packets pass, and which connection carries."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from benchmarks.webrtc_peer import WebrtcPeer
from callcenter.telephony.edge import session as session_module
from callcenter.telephony.edge.client import AiortcEdge
from callcenter.telephony.edge.relay import Relay
from callcenter.telephony.edge.session import Listen
from callcenter.telephony.ports import EdgeEvent, EdgeState, MediaAddress
from tests.telephony.edge.conftest import OwnEdge, Run
from tests.telephony.edge.test_edge_port import OFFER

HERE = Listen(("127.0.0.1",), loopback=False)


def rtp(n: int, ssrc: int = 5) -> bytes:
    return struct.pack(">BBHII", 0x80, 0, n, 160 * n, ssrc) + b"\xff" * 160


class Bench:
    """A relay, a media socket and the events; `call` connects one more peer to the session "s"."""

    def __init__(self) -> None:
        self.events: list[EdgeEvent] = []
        self.relay = Relay(self.events.append, HERE)
        self.media: list[bytes] = []
        self.browser: list[bytes] = []
        self.address = MediaAddress("", 0)
        self.socket: asyncio.DatagramTransport

    async def call(self) -> WebrtcPeer:
        peer = WebrtcPeer(self.browser.append)

        async def exchange(offer: str) -> str:
            target = MediaAddress("127.0.0.1", self.socket.get_extra_info("sockname")[1])
            answer, self.address = await self.relay.open("s", offer, target)
            return answer

        await peer.call(exchange)
        await self.until(EdgeState.CONNECTED)
        return peer

    async def until(self, state: EdgeState) -> None:
        for _ in range(200):
            if self.events and self.events[-1].state is state:
                return
            await asyncio.sleep(0.025)
        raise AssertionError(f"not {state} within 5 s: {self.events}")


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    made = Bench()

    class Media(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            made.media.append(data)

    loop = asyncio.get_running_loop()
    made.socket, _ = await loop.create_datagram_endpoint(Media, local_addr=("127.0.0.1", 0))
    made.relay.start()
    try:
        yield made
    finally:
        await made.relay.stop()
        made.socket.close()


def test_only_the_media_process_is_heard_by_the_browser(run: Run[Any]) -> None:
    async def scenario() -> None:
        async with bench() as b:
            peer = await b.call()
            loop = asyncio.get_running_loop()
            stranger, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.2", 0))
            for n in range(5):
                stranger.sendto(rtp(n), (b.address.ip, b.address.port))
                b.socket.sendto(b"rubbish", (b.address.ip, b.address.port))
            b.socket.sendto(rtp(1), (b.address.ip, b.address.port))
            await asyncio.sleep(0.2)
            assert len(b.browser) == 1
            stranger.close()
            await peer.close()

    run(scenario())


def test_former_connection_carries_until_the_new_one_stands(run: Run[Any]) -> None:
    async def scenario() -> None:
        async with bench() as b:
            one = await b.call()
            await b.relay.open("s", OFFER, MediaAddress("127.0.0.1", b.socket.get_extra_info("sockname")[1]))
            assert b.events[-1].state is EdgeState.CONNECTED
            one.send(rtp(1))
            await asyncio.sleep(0.1)
            assert len(b.media) == 1
            two = await b.call()
            await asyncio.wait_for(one.ended.wait(), 3)
            two.send(rtp(9, ssrc=77))
            await asyncio.sleep(0.1)
            assert len(b.media) == 2
            assert b.media[0][8:12] == b.media[1][8:12]
            await two.close()

    run(scenario())


def test_new_connection_that_never_stands_leaves_the_former_one_in_place(
    run: Run[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "NEXT_GIVE_UP_S", 0.5)

    async def scenario() -> None:
        async with bench() as b:
            one = await b.call()
            await b.relay.open("s", OFFER, MediaAddress("127.0.0.1", b.socket.get_extra_info("sockname")[1]))
            for n in range(60):
                one.send(rtp(n))
                await asyncio.sleep(0.02)
            assert {e.state for e in b.events[1:]} == {EdgeState.CONNECTED}
            assert len(b.media) == 60
            await one.close()
            await b.until(EdgeState.INTERRUPTED)

    run(scenario())


def test_silent_browser_is_interrupted_then_closed_and_its_socket_freed(
    run: Run[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callcenter.telephony.edge.liveness.QUIET_S", 0.6)
    monkeypatch.setattr("callcenter.telephony.edge.liveness.GIVE_UP_S", 1.0)

    async def scenario() -> None:
        async with bench() as b:
            peer = await b.call()
            await b.until(EdgeState.INTERRUPTED)
            peer.send(rtp(1))
            await b.until(EdgeState.CONNECTED)
            await b.until(EdgeState.INTERRUPTED)
            await b.until(EdgeState.CLOSED)
            assert b.relay.sessions == {}
            await peer.close()

    run(scenario())


def test_session_closed_while_the_edge_was_out_of_reach_is_closed_later(run: Run[Any], mortal_edge: OwnEdge) -> None:
    async def scenario() -> None:
        edge, other = AiortcEdge(mortal_edge.socket), AiortcEdge(mortal_edge.socket)
        await edge.start(lambda event: None)
        await other.start(lambda event: None)
        await edge.open("s", OFFER, MediaAddress("127.0.0.1", 20000))
        edge._drop_connection()
        edge.close("s")
        for _ in range(100):
            if await other.sessions() == ():
                break
            await asyncio.sleep(0.05)
        assert await other.sessions() == ()
        await edge.stop()
        await other.stop()

    run(scenario())


def test_browsers_are_told_the_address_that_a_nat_carries_here(run: Run[Any]) -> None:
    nat = Listen.at("203.0.113.7")
    assert nat.advertise == "203.0.113.7"
    assert nat.addresses
    assert Listen.at("127.0.0.1") == Listen()
    assert Listen.at(nat.addresses[0]) == Listen(nat.addresses, loopback=False)
    with pytest.raises(ValueError):
        Listen.at("edge.example")

    async def scenario() -> None:
        relay = Relay(lambda event: None, nat)
        answer, _ = await relay.open("s", OFFER, MediaAddress("127.0.0.1", 20000))
        candidates = [line for line in answer.splitlines() if line.startswith("a=candidate:")]
        assert [c.split()[4] for c in candidates] == ["203.0.113.7"]
        await relay.stop()

    run(scenario())
