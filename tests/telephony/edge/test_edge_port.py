"""What both edges hold to without a browser: bad offers, an edge that is not there, sessions that never connect."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from callcenter import config, wire
from callcenter.errors import InvalidInput, Unavailable
from callcenter.telephony.edge.choose import edge_of
from callcenter.telephony.edge.client import AiortcEdge
from callcenter.telephony.edge.rtpengine import RtpengineEdge
from callcenter.telephony.edge.sdp import parse_offer
from callcenter.telephony.ports import EdgeEvent, EdgeState, MediaAddress
from tests.telephony.edge.conftest import Edge, Gateway, OwnEdge, Run
from tests.telephony.edge.peers import free_udp_port

DIGEST = ":".join(["AB"] * 32)
OFFER = "\r\n".join(
    [
        "v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "a=extmap-allow-mixed",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 0", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0", "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuvwx", "a=ice-options:trickle", f"a=fingerprint:sha-256 {DIGEST}",
        "a=setup:actpass", "a=mid:0", "a=sendrecv", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2", "a=rtpmap:0 PCMU/8000",
        "",
    ]
)  # fmt: skip
TARGET = MediaAddress("127.0.0.1", 20000)
MALFORMED = {
    "empty": "",
    "no text of SDP": "hello",
    "binary": "v=0\x00\xff\x01",
    "no media": "v=0\r\ns=-\r\n",
    "video only": OFFER.replace("m=audio", "m=video"),
    "no PCMU": OFFER.replace("SAVPF 111 0", "SAVPF 111"),
    "plain RTP": OFFER.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
    "no fingerprint": OFFER.replace("a=fingerprint", "a=x"),
    "fingerprint of an unknown kind": OFFER.replace("sha-256", "md5"),
    "no ICE password": OFFER.replace("a=ice-pwd", "a=x"),
    "short ICE password": OFFER.replace("abcdefghijklmnopqrstuvwx", "abc"),
    "ICE user name with a line break's worth of rubbish": OFFER.replace("a=ice-ufrag:abcd", "a=ice-ufrag:ab cd;"),
    "no rtcp-mux": OFFER.replace("a=rtcp-mux", "a=x"),
    "unknown setup": OFFER.replace("a=setup:actpass", "a=setup:holdconn"),
    "broken media line": OFFER.replace("m=audio 9", "m=audio x"),
    "too long": OFFER + "a=x\r\n" * 20000,
}


async def opened(gateway: Gateway) -> tuple[Edge, list[EdgeEvent]]:
    events: list[EdgeEvent] = []
    edge = gateway.client()
    await edge.start(events.append)
    return edge, events


def test_malformed_offers_are_refused_naming_the_field_and_leave_the_edge_working(
    run: Run[Any], gateway: Gateway
) -> None:
    async def scenario() -> None:
        edge, _ = await opened(gateway)
        _, address = await edge.open("good", OFFER, TARGET)
        for what, offer in MALFORMED.items():
            for session in ("good", "fresh"):
                with pytest.raises(InvalidInput) as refused:
                    await edge.open(session, offer, TARGET)
                assert "sdp" in refused.value.fields, what
        assert await edge.take_up("good") == address
        with pytest.raises(KeyError):
            await edge.take_up("fresh")
        await edge.stop()

    run(scenario())


def test_answer_accepts_pcmu_alone_and_mirrors_the_offer(run: Run[Any], gateway: Gateway) -> None:
    async def scenario() -> None:
        edge, _ = await opened(gateway)
        with_video = OFFER + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtcp-mux\r\n"
        answer, address = await edge.open("s", with_video, TARGET)
        await edge.stop()
        lines = answer.splitlines()
        media = [line for line in lines if line.startswith("m=")]
        assert media[0].startswith("m=audio ")
        assert media[0].endswith(" UDP/TLS/RTP/SAVPF 0")
        assert media[1:] == ["m=video 0 UDP/TLS/RTP/SAVPF 96"]
        assert "a=group:BUNDLE 0" in lines
        assert "a=setup:active" in lines
        assert not any(line.startswith("a=extmap") for line in lines)
        assert any("127.0.0.1" in line for line in lines if line.startswith("a=candidate:"))
        assert address.ip == "127.0.0.1"
        assert address.port % 2 == 0
        parse_offer(answer)

    run(scenario())


def test_session_offered_again_keeps_its_plain_address(run: Run[Any], gateway: Gateway) -> None:
    async def scenario() -> None:
        edge, _ = await opened(gateway)
        _, first = await edge.open("s", OFFER, TARGET)
        _, again = await edge.open("s", OFFER.replace("abcd", "efgh").replace("AB", "CD"), TARGET)
        _, other = await edge.open("t", OFFER, TARGET)
        await edge.stop()
        assert first == again
        assert other != first

    run(scenario())


@pytest.mark.parametrize("edge", ["aiortc", "rtpengine"])
def test_edge_that_is_not_there_is_told_as_unavailable_within_five_seconds(
    run: Run[Any], edge: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        client: Edge = (
            AiortcEdge(tmp_path / "none.sock") if edge == "aiortc" else RtpengineEdge("127.0.0.1", free_udp_port())
        )
        await client.start(lambda event: None)
        client.close("unknown")
        start = time.monotonic()
        with pytest.raises(Unavailable):
            await client.open("s", OFFER, TARGET)
        assert 0.9 < time.monotonic() - start < 2
        await client.stop()

    module = "client" if edge == "aiortc" else "rtpengine"
    monkeypatch.setattr(f"callcenter.telephony.edge.{module}.OPEN_TIMEOUT_S", 1.0)
    run(scenario())


def test_client_that_sends_rubbish_is_cut_off_and_harms_nobody(run: Run[Any], own_edge: OwnEdge) -> None:
    async def scenario() -> None:
        edge, _ = await opened(own_edge)
        _, address = await edge.open("s", OFFER, TARGET)
        for rubbish in (b"\xff" * 64, b"\x00\x00\x00\x03abc", wire.frame({"op": 1}), wire.frame([1, 2])):
            reader, writer = await asyncio.open_unix_connection(str(own_edge.socket))
            await wire.read_frame(reader)
            writer.write(rubbish)
            assert await asyncio.wait_for(reader.read(), 2) == b""
            writer.close()
        assert await edge.take_up("s") == address
        await edge.stop()

    run(scenario())


def test_events_go_to_the_client_that_holds_the_session_and_its_end_is_told_after_a_restart(
    run: Run[Any], mortal_edge: OwnEdge
) -> None:
    async def scenario() -> None:
        (one, events), (two, others) = await opened(mortal_edge), await opened(mortal_edge)
        await one.open("s", OFFER, TARGET)
        mortal_edge.process.kill()
        mortal_edge.process.wait()
        mortal_edge.start()
        for _ in range(100):
            if events and events[-1].state is EdgeState.CLOSED:
                break
            await asyncio.sleep(0.05)
        assert [e.state for e in events] == [EdgeState.CONNECTING, EdgeState.CLOSED]
        assert others == []
        await one.open("s", OFFER, TARGET)
        await one.stop()
        await two.stop()

    run(scenario())


def test_settings_choose_the_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EDGE", "RTPENGINE_NG"):
        monkeypatch.delenv(name, raising=False)
    assert isinstance(edge_of(config.load()), AiortcEdge)
    monkeypatch.setenv("EDGE", "rtpengine")
    assert isinstance(edge_of(config.load()), RtpengineEdge)
    monkeypatch.setenv("RTPENGINE_NG", "nonsense")
    with pytest.raises(ValueError, match="RTPENGINE_NG"):
        edge_of(config.load())
