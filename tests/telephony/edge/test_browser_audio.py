"""A real browser with the real softphone, through either edge, to a plain RTP peer and back."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from itertools import pairwise
from typing import Any

import pytest
from playwright.async_api import Browser

from callcenter.telephony.ports import EdgeState
from tests.telephony.edge.conftest import Desk, Gateway, OwnEdge, Rtpengine, Run, desk, running
from tests.telephony.edge.peers import both_ways, until

pytestmark = [pytest.mark.browser]
Modules = dict[str, str]


@pytest.mark.promise("A1")
def test_agent_and_media_process_hear_each_other(
    run: Run[Any], browser: Browser, softphone_modules: Modules, gateway: Gateway
) -> None:
    async def scenario() -> None:
        async with desk(gateway, browser, softphone_modules) as d:
            await d.page.start()
            await both_ways(d.page, d.peer)
            assert all(p[0] == 0x80 and p[1] & 0x7F == 0 and len(p) == 172 for _, p in d.peer.received)
            assert "opus" not in d.page.offers[0].lower()
            assert await d.page.state() == "ready"

            async def told() -> bool:
                return d.states() == [EdgeState.CONNECTING, EdgeState.CONNECTED]

            await until(told, 2, f"events were {d.events}")

    run(scenario())


@pytest.mark.promise("A1")
def test_reloaded_page_is_heard_again_on_the_same_address_within_three_seconds(
    run: Run[Any], browser: Browser, softphone_modules: Modules, gateway: Gateway
) -> None:
    async def scenario() -> None:
        async with desk(gateway, browser, softphone_modules) as d:
            await d.page.start()
            await both_ways(d.page, d.peer)
            start = time.monotonic()
            await d.page.reload()
            d.peer.received.clear()
            await d.page.start()
            await both_ways(d.page, d.peer)
            assert time.monotonic() - start < 3.0
            assert len(d.addresses) == 2
            assert d.addresses[0] == d.addresses[1]
            assert EdgeState.CLOSED not in d.states()

    run(scenario())


def test_media_process_sees_one_unbroken_stream_across_a_reload(
    run: Run[Any], browser: Browser, softphone_modules: Modules, own_edge: OwnEdge
) -> None:
    async def scenario() -> None:
        async with desk(own_edge, browser, softphone_modules) as d:
            await d.page.start()
            await both_ways(d.page, d.peer)
            await d.page.reload()
            await d.page.start()
            await both_ways(d.page, d.peer)
            packets = [p for _, p in d.peer.received]
            assert {p[8:12] for p in packets} == {packets[0][8:12]}
            numbers = [int.from_bytes(p[2:4], "big") for p in packets]
            # Up and never far: 1 each, more where a loaded machine lost a packet; a restart would be anywhere.
            assert all(1 <= (b - a) & 0xFFFF <= 50 for a, b in pairwise(numbers))

    run(scenario())


async def kill_and_recover(gateway: Gateway, browser: Browser, modules: Modules) -> None:
    async with desk(gateway, browser, modules) as d:
        await d.page.start()
        await both_ways(d.page, d.peer)
        await asyncio.sleep(1.5)
        gateway.process.kill()
        gateway.process.wait()
        gateway.start()
        killed_s = time.monotonic()
        d.peer.received.clear()

        async def closed() -> bool:
            return EdgeState.CLOSED in d.states()

        await until(closed, 5, "the edge tells the session as closed")
        await both_ways(d.page, d.peer, timeout_s=15)
        print(f"\n{type(gateway).__name__}: back {time.monotonic() - killed_s:.1f} s after the kill")
        states = [e["value"]["state"] for e in await d.page.events("state")]
        assert states[:2] == ["connecting", "ready"]
        assert states[-1] == "ready"
        assert "failed" not in states


async def hold_up_and_recover(gateway: Gateway, browser: Browser, modules: Modules) -> None:
    async with desk(gateway, browser, modules) as d:
        await d.page.start()
        await both_ways(d.page, d.peer)
        gateway.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(6)
        d.peer.received.clear()
        gateway.process.send_signal(signal.SIGCONT)
        await both_ways(d.page, d.peer, timeout_s=8)
        assert len(set(d.addresses)) == 1
        assert EdgeState.CLOSED not in d.states()

        async def ready() -> bool:
            return await d.page.state() == "ready"

        await until(ready, 8, "the phone is ready")


@pytest.fixture(scope="module")
def faults(
    runner: asyncio.Runner, browser: Browser, softphone_modules: Modules, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, BaseException | None]:
    """Three faults at the same time, each with an edge and a page of its own, because they are mostly waiting; what
    went wrong in each."""
    folder = tmp_path_factory.mktemp

    async def scenario() -> list[BaseException | None]:
        with (
            running(OwnEdge(folder("a"))) as killed,
            running(Rtpengine(folder("b"))) as killed_rtpengine,
            running(OwnEdge(folder("c"))) as held,
        ):
            return await asyncio.gather(
                kill_and_recover(killed, browser, softphone_modules),
                kill_and_recover(killed_rtpengine, browser, softphone_modules),
                hold_up_and_recover(held, browser, softphone_modules),
                return_exceptions=True,
            )

    outcomes = runner.run(asyncio.wait_for(scenario(), 60))
    return dict(zip(("killed aiortc", "killed rtpengine", "held up"), outcomes, strict=True))


def passed(outcome: BaseException | None) -> None:
    if outcome is not None:
        raise outcome


@pytest.mark.promise("A1")
@pytest.mark.parametrize("edge", ["aiortc", "rtpengine"])
def test_phone_comes_back_by_itself_after_the_edge_was_killed(
    faults: dict[str, BaseException | None], edge: str
) -> None:
    passed(faults[f"killed {edge}"])


@pytest.mark.promise("A1")
def test_audio_goes_on_after_the_edge_was_held_up_for_six_seconds(faults: dict[str, BaseException | None]) -> None:
    passed(faults["held up"])


def test_phone_is_back_at_once_when_told_that_the_session_is_lost(
    run: Run[Any], browser: Browser, softphone_modules: Modules, mortal_edge: OwnEdge
) -> None:
    async def scenario() -> None:
        async with desk(mortal_edge, browser, softphone_modules) as d:
            await d.page.start()
            await both_ways(d.page, d.peer)
            mortal_edge.process.kill()
            mortal_edge.process.wait()
            mortal_edge.start()
            start = time.monotonic()

            async def closed() -> bool:
                return EdgeState.CLOSED in d.states()

            await until(closed, 5, "the edge tells the session as closed")
            d.peer.received.clear()
            await d.page.page.evaluate("phone.reoffer()")
            await both_ways(d.page, d.peer)
            assert time.monotonic() - start < 4.0

    run(scenario())


def test_engine_that_died_does_not_cut_the_audio_and_its_successor_takes_up_the_session(
    run: Run[Any], browser: Browser, softphone_modules: Modules, gateway: Gateway
) -> None:
    async def scenario() -> None:
        async with desk(gateway, browser, softphone_modules) as d:
            await d.page.start()
            await both_ways(d.page, d.peer)
            await d.edge.detach()
            d.edge = gateway.client()
            await d.edge.start(d.events.append)
            try:
                assert await d.edge.take_up(d.session_id) == d.addresses[0]
                with pytest.raises(KeyError):
                    await d.edge.take_up("nobody")
                d.peer.received.clear()
                await asyncio.sleep(0.6)
                await both_ways(d.page, d.peer, timeout_s=1)
                assert len(d.page.offers) == 1
            finally:
                await d.edge.stop()

    run(scenario())


def test_closed_session_sends_nothing_more(
    run: Run[Any], browser: Browser, softphone_modules: Modules, gateway: Gateway
) -> None:
    async def scenario() -> None:
        async with desk(gateway, browser, softphone_modules) as d:
            await d.page.start()
            await both_ways(d.page, d.peer)
            await d.page.page.evaluate("phone.stop()")
            d.edge.close(d.session_id)
            await asyncio.sleep(0.5)
            d.peer.received.clear()
            await asyncio.sleep(0.3)
            assert d.peer.received == []
            with pytest.raises(KeyError):
                await d.edge.take_up(d.session_id)
            assert await d.page.state() == "off"

    run(scenario())


# Resolves with the times (ms since the epoch) at which the page began to hear something during 3.2 s.
WATCH_BEGINNINGS = """() => new Promise((resolve) => {
  const seen = []; let loud = heardHz() > 0; const end = Date.now() + 3200;
  const timer = setInterval(() => {
    const now = heardHz() > 0;
    if (now && !loud) seen.push(Date.now());
    loud = now;
    if (Date.now() > end) { clearInterval(timer); resolve(seen); }
  }, 4);
})"""


async def one_way_ms(d: Desk) -> list[float]:
    """From the packet leaving the media peer to the tone in the page's audio graph: the edge, Chromium's jitter buffer
    and the polling of its analyser together; four measurements."""
    d.peer.loud = False
    await asyncio.sleep(0.5)
    task = asyncio.create_task(d.page.page.evaluate(WATCH_BEGINNINGS))
    began = []
    for _ in range(4):
        await asyncio.sleep(0.4)
        d.peer.loud = True
        began.append(time.time() * 1000)
        await asyncio.sleep(0.35)
        d.peer.loud = False
    seen = await task
    return [min((s - b for s in seen if s > b), default=9999.0) for b in began]


@pytest.mark.promise("A1")
def test_call_quality_is_good_and_told_to_the_engine_and_on_screen(
    run: Run[Any], browser: Browser, softphone_modules: Modules, own_edge: OwnEdge
) -> None:
    async def scenario() -> None:
        async with desk(own_edge, browser, softphone_modules) as d:
            await d.page.start()
            await both_ways(d.page, d.peer)
            delays = await one_way_ms(d)
            print(f"\nmedia → browser, one way, ms: {sorted(round(x) for x in delays)}")
            assert statistics.median(delays) < 250

            async def told() -> bool:
                return any("round_trip_ms" in e.stats for e in d.events)

            await until(told, 12, f"statistics with a round trip time; events were {d.events}")
            stats = d.events[-1].stats
            assert stats["loss"] < 0.05
            assert stats["remote_loss"] < 0.05
            assert 0.0 <= stats["round_trip_ms"] < 50.0
            assert stats["jitter_ms"] < 100.0
            seen = (await d.page.events("stats"))[-1]["value"]
            assert seen["word"] == "good"
            assert 4.0 <= seen["mos"] <= 4.5
            assert seen["lossIn"] < 0.05
            assert seen["roundTripMs"] is not None

    run(scenario())


def test_edge_ends_cleanly_on_sigterm(mortal_edge: OwnEdge, run: Run[Any]) -> None:
    async def scenario() -> None:
        edge = mortal_edge.client()
        await edge.start(lambda event: None)
        assert await edge.sessions() == ()
        await edge.detach()

    run(scenario())
    os.kill(mortal_edge.process.pid, signal.SIGTERM)
    assert mortal_edge.process.wait(5) == 0
    assert not mortal_edge.socket.exists()


RESTART_ICE = """async () => {
  const peer = phone.connection.peer;
  await peer.setLocalDescription(await peer.createOffer({ iceRestart: true }));
  const r = await fetch("/api/phone/offer", { method: "POST",
    body: JSON.stringify({ sdp: peer.localDescription.sdp }) });
  await peer.setRemoteDescription({ type: "answer", sdp: (await r.json()).sdp });
}"""


def test_standard_ice_restart_of_the_same_connection_is_taken(
    run: Run[Any], browser: Browser, softphone_modules: Modules, gateway: Gateway
) -> None:
    async def scenario() -> None:
        async with desk(gateway, browser, softphone_modules) as d:
            await d.page.start()
            await both_ways(d.page, d.peer)
            await d.page.page.evaluate(RESTART_ICE)
            await asyncio.sleep(1)
            d.peer.received.clear()
            await both_ways(d.page, d.peer)
            assert d.addresses[0] == d.addresses[1]
            assert await d.page.state() == "ready"

    run(scenario())
