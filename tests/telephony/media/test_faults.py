"""What a killed worker, a broken control connection and garbage do to calls: a gap at most."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from pathlib import Path

import numpy as np
import pytest

from callcenter.telephony import ports
from callcenter.telephony.media.client import MediaClient
from callcenter.telephony.media.sockets import share
from callcenter.wire import frame, read_frame
from tests.telephony.media.far_end import bench, level, read_recording


@pytest.mark.promise("P4")
def test_a_killed_worker_comes_back_with_the_same_ports_rooms_and_recordings(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440)
            agent = await table.far_end("agent", 1000, near="customer")
            waiting = await table.far_end("waiting", 600)
            path = tmp_path / "call.wav"
            began = time.monotonic()
            table.client.start_recording("r1", str(path), "agent", "customer")
            table.client.set_room("call", {"customer": ("agent",), "agent": ("customer",)})
            table.client.play("waiting", "moh", "tone:busy", loop=True)
            table.client.play("customer", "once", "tone:ringback", mix=True)
            await asyncio.sleep(1.5)
            table.kill_worker()
            killed = time.monotonic()
            await table.until(lambda: table.told(ports.MediaDown))
            left, _ = read_recording(path)  # whole and playable as it lies there
            assert len(left) / 8000 > killed - began - 1.0
            table.start_worker()
            await table.until(lambda: len(table.told(ports.MediaUp)) == 2)
            up = table.told(ports.MediaUp)[1]
            assert isinstance(up, ports.MediaUp) and up.restarted
            gap = time.monotonic() - killed
            lost_play = table.told(ports.PlayEnded)
            assert [(e.play_id, e.complete) for e in lost_play if isinstance(e, ports.PlayEnded)] == [("once", False)]
            start = time.monotonic()
            await asyncio.sleep(1.5)
            assert customer.hears(1000, start + 0.3) > 6000 and agent.hears(440, start + 0.3) > 6000
            assert waiting.hears(425, start + 0.3) > 500
            table.client.stop_recording("r1")
            stopped = time.monotonic()
            await table.until(lambda: table.told(ports.RecordingEnded))
            left, right = read_recording(path)
            assert abs(len(left) / 8000 - (stopped - began)) < 0.2, "the time line has the gap in it"
            quiet = np.abs(left.astype(int)).reshape(-1)[: len(left) // 160 * 160].reshape(-1, 160).max(axis=1) < 100
            assert quiet.sum() * 0.02 < gap + 1.0
            assert level(left[-8000:], 1000) > 5000 and level(right[-8000:], 440) > 5000
            assert level(left[2000:8000], 1000) > 5000 and level(right[2000:8000], 440) > 5000

    asyncio.run(run())
    assert [p.name for p in tmp_path.glob("call*")] == ["call.wav"]


def test_audio_goes_on_while_the_control_connection_is_away_and_nothing_told_is_missed(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440)
            agent = await table.far_end("agent", 1000, near="customer")
            table.client.set_room("call", {"customer": ("agent",), "agent": ("customer",)})
            table.client.play("agent", "hello", "tone:beep", mix=True)
            await table.client.stop()
            start = time.monotonic()
            await asyncio.sleep(0.6)
            assert customer.hears(1000, start) > 6000
            table.client.delete_port("agent")  # wanted while away
            await table.client.start(table.events.append)
            up = table.told(ports.MediaUp)[-1]
            assert isinstance(up, ports.MediaUp) and not up.restarted
            await table.until(lambda: table.told(ports.PlayEnded))
            start = time.monotonic()
            await asyncio.sleep(0.3)
            assert customer.hears(1000, start + 0.05) < 100 and not agent.since(start + 0.05)

    asyncio.run(run())


def test_a_new_client_replaces_the_old_one_takes_up_what_it_wants_and_resets_the_rest(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440)
            agent = await table.far_end("agent", 1000, near="customer")
            stray = await table.far_end("stray", 600)
            table.client.set_room("call", {"customer": ("agent",), "agent": ("customer",)})
            table.client.start_recording("r1", str(tmp_path / "r1.wav"), "agent", "customer")
            table.client.start_recording("r2", str(tmp_path / "r2.wav"), "stray", "")
            table.client.play("stray", "moh", "tone:busy", loop=True)
            await asyncio.sleep(0.4)
            table.client._workers[0].link._path = tmp_path / "nowhere"  # the old engine is dead: it never comes back
            events: list[ports.MediaEvent] = []
            successor = MediaClient([table.socket_path])
            await successor.start(events.append)
            try:
                assert (await successor.take_up("customer")) == customer.target
                assert (await successor.take_up("agent")) == agent.target
                with pytest.raises(KeyError):
                    await successor.take_up("gone")
                await successor.reset()
                start = time.monotonic()
                await asyncio.sleep(0.3)
                assert customer.hears(1000, start) > 6000
                assert len(stray.since(start + 0.05)) == 0
                assert [e.recording_id for e in events if isinstance(e, ports.RecordingEnded)] == ["r2"]
                successor.stop_recording("r1")
                successor.set_room("call", {})
                await asyncio.sleep(0.2)
                assert [e.recording_id for e in events if isinstance(e, ports.RecordingEnded)] == ["r2", "r1"]
            finally:
                await successor.stop()

    asyncio.run(run())


def test_garbage_on_its_sockets_does_not_disturb_a_worker(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440)
            agent = await table.far_end("agent", 1000, near="customer")
            table.client.set_room("call", {"customer": ("agent",), "agent": ("customer",)})
            rng = random.Random(7)
            target = agent.target
            assert target is not None
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise:
                for _ in range(400):
                    for port in (target.port, target.port + 1):
                        head = rng.choice([b"", b"\x80", b"\x80\x00", b"\x9f\xe5", b"\xb0\x08", b"\x80\xc8\xff\xff"])
                        noise.sendto(head + rng.randbytes(rng.choice([0, 3, 11, 40, 1700])), ("127.0.0.1", port))
                        customer.transport.sendto(head + rng.randbytes(20), (customer.target.ip, customer.target.port))
            for broken in (
                b"\x00\x00\x10\x00half a frame",
                b"\xff\xff\xff\xff",
                frame({"op": "format_disk"}) + frame(7),
            ):
                _, writer = await asyncio.open_unix_connection(str(table.socket_path))
                writer.write(broken)
                await writer.drain()
                await asyncio.sleep(0.05)
                writer.close()
            await table.until(lambda: table.client._workers[0].link.up.is_set())
            await asyncio.sleep(0.1)
            start = time.monotonic()
            await asyncio.sleep(0.5)
            assert customer.hears(1000, start) > 6000 and agent.hears(440, start) > 6000

    asyncio.run(run())


def test_a_command_that_makes_no_sense_is_answered_and_forgotten(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            await table.client.stop()
            reader, writer = await asyncio.open_unix_connection(str(table.socket_path))
            hello = await read_frame(reader)
            assert hello["worker"] == 0
            wrong: list[dict[str, object]] = [
                {"op": "play", "port_id": 3}, {"op": "stop_play", "port_id": "none"}, {"op": "send_dtmf"},
            ]  # fmt: skip
            for n, command in enumerate(wrong, 1):
                writer.write(frame({**command, "n": n}))
                answer = await read_frame(reader)
                assert answer["reply"] == n and answer["error"]
            writer.close()

    asyncio.run(run())


def test_ports_run_out_with_a_plain_error_and_come_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path, pairs=2) as table:
            first = await table.client.create_port("a")
            await table.client.create_port("b")
            with pytest.raises(RuntimeError, match="no free UDP port"):
                await table.client.create_port("c")
            table.client.delete_port("a")
            assert await table.client.create_port("c") == first
            with pytest.raises(KeyError):
                table.client.update_port("a", sending=True)
            with pytest.raises(KeyError):
                table.client.set_room("x", {"a": ("b",)})

    asyncio.run(run())


def test_sigterm_closes_recordings_and_ends_with_zero(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            await table.far_end("customer", 440)
            table.client.start_recording("r1", str(tmp_path / "r1.wav"), "customer", "")
            await asyncio.sleep(0.5)
            assert await table.end_worker() == 0
            left, right = read_recording(tmp_path / "r1.wav")
            assert 0.4 < len(left) / 8000 < 0.8 and not right.any()
            assert level(left[1600:3200], 440) > 6000

    asyncio.run(run())


def test_creating_a_port_waits_for_a_worker_that_is_just_restarting(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            table.kill_worker()
            creating = asyncio.create_task(table.client.create_port("a"))
            await asyncio.sleep(0.2)
            table.start_worker()
            assert (await creating).port in range(*table.port_range)
            table.kill_worker()
            with pytest.raises(RuntimeError, match="does not answer"):
                await table.client.create_port("b")

    asyncio.run(run())


def test_the_shares_of_workers_do_not_overlap() -> None:
    shares = [list(share(20001, 20031, n, 3)) for n in range(3)]
    together = [port for ports_ in shares for port in ports_]
    assert len(set(together)) == len(together) == 15
    assert all(port % 2 == 0 and port >= 20001 and port + 1 <= 20031 for port in together)
