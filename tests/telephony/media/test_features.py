"""Plays, key presses, supervisors, codecs and figures on a real worker process."""

from __future__ import annotations

import asyncio
import itertools
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callcenter.telephony import ports
from callcenter.telephony.media import dtmf, g711, rtcp, rtp
from callcenter.telephony.ports import DtmfReceived, MediaAddress, PlayEnded, PortStats, RtpSilent, RtpStarted
from tests.telephony.media.far_end import FarEnd, bench, level, read_recording, tone


@pytest.mark.promise("V2")
def test_a_supervisor_listens_whispers_and_barges_by_the_matrix_alone(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            far = {"a": await table.far_end("a", 440)}
            for name, hz in (("b", 1000), ("s", 1700)):
                far[name] = await table.far_end(name, hz, near="a")
            hz_of = {"a": 440, "b": 1000, "s": 1700}

            async def check(matrix: dict[str, tuple[str, ...]]) -> None:
                table.client.set_room("call", matrix)
                await asyncio.sleep(0.25)
                start = time.monotonic()
                await asyncio.sleep(0.5)
                for listener, end in far.items():
                    for source, hz in hz_of.items():
                        heard = end.hears(hz, start)
                        if source in matrix.get(listener, ()):
                            assert heard > 5500, (matrix, listener, source, heard)
                        else:
                            assert heard < 400, (matrix, listener, source, heard)

            await check({"a": ("b",), "b": ("a",), "s": ("a", "b")})  # listen
            await check({"a": ("b", "s"), "b": ("a",), "s": ("a", "b")})  # whisper to a
            await check({"a": ("b", "s"), "b": ("a", "s"), "s": ("a", "b")})  # barge
            await check({"a": ("b",), "b": ("a",)})  # the supervisor left: relayed again
            for end in far.values():
                numbers = [p.sequence for p in end.since(0)]
                assert all((y - x) & 0xFFFF == 1 for x, y in itertools.pairwise(numbers)), "one stream throughout"
                stamps = [p.timestamp for p in end.since(0)]
                assert all(0 < (y - x) & 0xFFFFFFFF < 16000 for x, y in itertools.pairwise(stamps))

    asyncio.run(run())


def test_a_prompt_is_heard_mutes_the_room_and_ends(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "hello.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(g711.ulaw_to_linear(tone(700, 0.5)).astype("<i2").tobytes())
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440)
            await table.far_end("agent", 1000, near="customer")
            table.client.set_room("call", {"customer": ("agent",), "agent": ("customer",)})
            await asyncio.sleep(0.2)
            start = time.monotonic()
            table.client.play("customer", "p1", str(path))
            await table.until(lambda: table.told(PlayEnded))
            assert 0.4 < time.monotonic() - start < 1.5
            assert customer.hears(700, start + 0.05) > 5500
            assert customer.hears(1000, start + 0.05) < 600
            again = time.monotonic()
            await asyncio.sleep(0.2)
            assert customer.hears(1000, again + 0.03) > 5500
            start = time.monotonic()
            table.client.play("customer", "p2", str(path), mix=True, loop=True)
            await asyncio.sleep(0.8)
            assert customer.hears(700, start + 0.1) > 5000 and customer.hears(1000, start + 0.1) > 5000
            table.client.stop_play("customer")
            table.client.play("customer", "p3", str(tmp_path / "none.wav"))
            table.client.play("customer", "p4", "tone:nonsense")
            await table.until(lambda: len(table.told(PlayEnded)) == 4)
            ends = [(e.play_id, e.complete) for e in table.told(PlayEnded) if isinstance(e, PlayEnded)]
            assert ends == [("p1", True), ("p2", False), ("p3", False), ("p4", False)]

    asyncio.run(run())


def test_key_presses_are_told_once_and_relayed_with_the_listeners_payload_type(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440, dtmf_pt=96)
            agent = await table.far_end("agent", 1000, near="customer", dtmf_pt=101)
            table.client.set_room("call", {"customer": ("agent",), "agent": ("customer",)})
            await asyncio.sleep(0.2)
            customer.talking = False
            for digit in "5#":
                stamp = customer.timestamp
                for elapsed in range(160, 801, 160):
                    packet = dtmf.build(dtmf.Event(digit, elapsed == 800, elapsed))
                    for _ in range(3 if elapsed == 800 else 1):
                        customer.send(96, packet, marker=elapsed == 160, timestamp=stamp)
                await asyncio.sleep(0.1)
            customer.talking = True
            await table.until(lambda: len(table.told(DtmfReceived)) == 2)
            pressed = [
                (e.port_id, e.digit, e.duration_ms) for e in table.told(DtmfReceived) if isinstance(e, DtmfReceived)
            ]
            assert pressed == [("customer", "5", 100), ("customer", "#", 100)]
            events = [p for p in agent.since(0) if p.payload_type == 101]
            assert len(events) == 14 and len({p.timestamp for p in events}) == 2
            receiver = dtmf.Receiver()
            told = [
                k.digit for p in events if (e := dtmf.parse(p.payload)) for k in receiver.receive(p.timestamp, e, 0)
            ]
            assert told == ["5", "#"]

    asyncio.run(run())


def test_digits_sent_arrive_as_rfc_4733_and_audio_goes_on_after_them(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440, dtmf_pt=96)
            await table.far_end("agent", 1000, near="customer")
            table.client.set_room("call", {"customer": ("agent",), "agent": ("customer",)})
            await asyncio.sleep(0.2)
            table.client.send_dtmf("customer", "19*D")
            await asyncio.sleep(0.9)
            receiver = dtmf.Receiver()
            events = [p for p in customer.since(0) if p.payload_type == 96]
            presses = [k for p in events if (e := dtmf.parse(p.payload)) for k in receiver.receive(p.timestamp, e, 0)]
            assert [(k.digit, k.duration_ms) for k in presses] == [(d, 100) for d in "19*D"]
            assert sum(1 for p in events if p.payload[1] & dtmf.END_BIT) == 12
            assert [p.marker for p in events].count(True) == 4
            numbers = [p.sequence for p in customer.since(0)]
            assert all((y - x) & 0xFFFF == 1 for x, y in itertools.pairwise(numbers))
            start = time.monotonic()
            await asyncio.sleep(0.2)
            assert customer.hears(1000, start) > 6000
            with pytest.raises(ValueError):
                table.client.send_dtmf("customer", "12x")

    asyncio.run(run())


def test_a_key_press_reaches_listeners_of_a_mix_and_far_ends_without_events_hear_tones(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440)
            agent = await table.far_end("agent", 1000, near="customer")
            old = await table.far_end("old", 1700, near="customer", dtmf_pt=None)
            table.client.set_room("call", {"agent": ("customer", "old"), "customer": ("agent",)})
            await asyncio.sleep(0.2)
            customer.talking = False
            stamp = customer.timestamp
            for _ in range(3):
                customer.send(101, dtmf.build(dtmf.Event("8", True, 800)), timestamp=stamp)
            await table.until(lambda: sum(p.payload_type == 101 for p in agent.since(0)) == 7)
            receiver = dtmf.Receiver()
            events = [p for p in agent.since(0) if p.payload_type == 101]
            told = [
                k.digit for p in events if (e := dtmf.parse(p.payload)) for k in receiver.receive(p.timestamp, e, 0)
            ]
            assert told == ["8"]
            table.client.send_dtmf("old", "5")
            start = time.monotonic()
            await asyncio.sleep(0.4)
            assert old.hears(770, start) > 2000 and old.hears(1336, start) > 2000
            assert not table.told(PlayEnded)

    asyncio.run(run())


def test_an_a_law_leg_is_transcoded_for_its_partner_and_the_recording(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440, codec="pcma")
            agent = await table.far_end("agent", 1000, near="customer")
            table.client.start_recording("r1", str(tmp_path / "r.wav"), "agent", "customer")
            table.client.set_room("call", {"customer": ("agent",), "agent": ("customer",)})
            await asyncio.sleep(0.1)
            start = time.monotonic()
            await asyncio.sleep(0.7)
            assert agent.hears(440, start) > 6000 and customer.hears(1000, start) > 6000
            assert {p.payload_type for p in agent.since(0)} == {rtp.PT_PCMU}
            assert {p.payload_type for p in customer.since(0)} == {rtp.PT_PCMA}
            table.client.stop_recording("r1")
            await table.until(lambda: table.told(ports.RecordingEnded))
            left, right = read_recording(tmp_path / "r.wav")
            assert level(left[2000:5000], 1000) > 6000 and level(right[2000:5000], 440) > 6000

    asyncio.run(run())


def test_channels_stay_aligned_over_lost_packets_and_a_pause(tmp_path: Path) -> None:
    """Both far ends switch on at the same instants; the switches must lie within 40 ms of each other on disk."""

    async def run() -> None:
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440)
            agent = await table.far_end("agent", 1000, near="customer")
            customer.skip = lambda n: n % 7 == 3
            table.client.set_room("call", {"customer": ("agent",), "agent": ("customer",)})
            await asyncio.sleep(0.1)
            customer.talking = agent.talking = False
            await asyncio.sleep(0.1)
            path = tmp_path / "r.wav"
            table.client.start_recording("r1", str(path), "agent", "customer")
            await asyncio.sleep(0.2)
            for _ in range(3):
                customer.talking = agent.talking = True
                await asyncio.sleep(0.3)
                customer.talking = agent.talking = False
                await asyncio.sleep(0.2)
            table.client.pause_recording("r1", True)
            customer.talking = agent.talking = True
            await asyncio.sleep(0.4)
            table.client.pause_recording("r1", False)
            await asyncio.sleep(0.3)
            table.client.stop_recording("r1")
            await table.until(lambda: table.told(ports.RecordingEnded))
            starts = []
            for channel in read_recording(path):
                loud = np.abs(channel.astype(int)) > 1000
                frames = loud[: len(loud) // 80 * 80].reshape(-1, 80).any(axis=1)
                edges = np.flatnonzero(frames[1:] & ~frames[:-1]) + 1
                gaps = np.diff(np.concatenate([[-100], edges]))
                starts.append(
                    [e * 10 for e, g in zip(edges, gaps, strict=True) if g > 8 and not frames[e - 8 : e].any()]
                )
            assert len(starts[0]) == len(starts[1]) >= 3
            assert all(abs(a - b) <= 40 for a, b in zip(*starts, strict=True)), starts

    asyncio.run(run())


def test_lost_packets_and_round_trip_are_reported(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440)
            await table.far_end("agent", 1000, near="customer")
            table.client.set_room("call", {"customer": ("agent",), "agent": ("customer",)})
            customer.skip = lambda n: n % 10 == 9
            assert customer.target is not None
            reports: list[rtcp.Report] = []

            def stats() -> list[PortStats]:
                return [e for e in table.told(PortStats) if isinstance(e, PortStats)]

            class ControlEnd(asyncio.DatagramProtocol):
                def connection_made(self, transport: asyncio.BaseTransport) -> None:
                    self.transport: Any = transport

                def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                    for report in rtcp.parse(data)[0]:
                        reports.append(report)
                        if report.ntp is not None:  # answer 50 ms later, claiming to have waited 20 ms
                            block = rtcp.ReportBlock(
                                report.ssrc, 64, 9, 1, 80, rtcp.middle(report.ntp), int(0.02 * 65536)
                            )
                            answer = rtcp.build(rtcp.Report(customer.ssrc, (block,)), "customer")
                            asyncio.get_running_loop().call_later(0.05, self.transport.sendto, answer, addr)

            control, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                ControlEnd, local_addr=("127.0.0.1", customer.address.port + 1)
            )
            await table.until(lambda: reports, 7)
            await asyncio.sleep(0.2)
            table.client.delete_port("customer")
            await table.until(lambda: any(e.port_id == "customer" and e.remote_loss for e in stats()))
            control.close()
            last = [e for e in stats() if e.port_id == "customer"][-1]
            assert 0.07 < last.lost / (last.lost + last.received) < 0.13
            assert last.remote_loss == 0.25 and last.round_trip_ms is not None and 25 <= last.round_trip_ms <= 60
            assert last.jitter_ms < 10 and 1.5 < last.mos < 4.0
            block = reports[0].blocks[0]
            assert block.ssrc == customer.ssrc and block.fraction_lost > 10

    asyncio.run(run())


def test_silence_is_told_once_and_its_end_too(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440, silence_after_s=0.5)
            await table.until(lambda: table.told(RtpStarted))
            customer.talking = False
            await table.until(lambda: table.told(RtpSilent))
            await asyncio.sleep(0.8)
            assert len(table.told(RtpSilent)) == 1
            customer.talking = True
            await table.until(lambda: len(table.told(RtpStarted)) == 2)

    asyncio.run(run())


def test_a_port_that_hears_nobody_sends_silence_only_when_it_is_to_keep_the_path_open(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            far = await table.far_end("a", 440)
            partner = await table.far_end("b", 1000, near="a")
            await asyncio.sleep(0.3)
            assert not far.heard
            table.client.update_port("a", sending=True)
            await asyncio.sleep(0.5)
            assert len(far.heard) > 10 and {bytes(p.payload) for p in far.since(0)} == {g711.SILENT_FRAME}
            partner.talking = False
            table.client.set_room("r", {"a": ("b",)})  # hears somebody who sends nothing
            await asyncio.sleep(0.3)
            start = time.monotonic()
            await asyncio.sleep(0.4)
            assert len(far.since(start)) > 8
            partner.talking = True
            await asyncio.sleep(0.1)
            start = time.monotonic()
            await asyncio.sleep(0.3)
            assert far.hears(1000, start) > 6000
            table.client.update_port("a", sending=False)
            await asyncio.sleep(0.05)
            start = time.monotonic()
            await asyncio.sleep(0.2)
            assert not far.since(start)

    asyncio.run(run())


def test_a_recording_can_be_pointed_at_other_ports(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            await table.far_end("customer", 440)
            await table.far_end("first", 1000, near="customer")
            await table.far_end("second", 1700, near="customer")
            table.client.start_recording("r1", str(tmp_path / "r.wav"), "first", "customer")
            await asyncio.sleep(0.6)
            table.client.retarget_recording("r1", "second", "customer")
            table.client.delete_port("first")
            await asyncio.sleep(0.6)
            table.client.stop_recording("r1")
            await table.until(lambda: table.told(ports.RecordingEnded))
            left, right = read_recording(tmp_path / "r.wav")
            assert level(left[1600:4000], 1000) > 6000 and level(left[-4000:-800], 1700) > 6000
            assert level(right[1600:-800], 440) > 6000

    asyncio.run(run())


def test_the_media_follows_a_far_end_that_moves(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            agent = await table.far_end("agent", 1000)
            customer = await table.far_end("customer", 440, near="agent")
            table.client.set_room("call", {"customer": ("agent",), "agent": ("customer",)})
            await asyncio.sleep(0.2)
            moved = await FarEnd(700).open("127.0.0.3")
            table.far_ends.append(moved)
            assert customer.target is not None
            moved.talk(customer.target)
            table.client.update_port("customer", remote=MediaAddress(moved.address.ip, moved.address.port))
            await asyncio.sleep(0.1)
            start = time.monotonic()
            await asyncio.sleep(0.3)
            assert moved.hears(1000, start) > 6000 and agent.hears(700, start) > 6000 and agent.hears(440, start) < 300

    asyncio.run(run())
