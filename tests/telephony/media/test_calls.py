"""Two parties on a real worker process: relay, codecs, recording, injection."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path

import numpy as np
import pytest

from callcenter.telephony import ports
from tests.telephony.media.far_end import FarEnd, bench, level, read_recording


@pytest.mark.promise("V3")
def test_two_parties_hear_each_other_and_are_recorded_on_their_own_channels(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440)
            agent = await table.far_end("agent", 1000, near="customer")
            path = tmp_path / "rec" / "call.wav"
            table.client.start_recording("r1", str(path), "agent", "customer")
            table.client.set_room("call", {"customer": ("agent",), "agent": ("customer",)})
            await asyncio.sleep(0.1)
            start = time.monotonic()
            await asyncio.sleep(1.2)
            assert customer.hears(1000, start) > 6000 and customer.hears(440, start) < 300
            assert agent.hears(440, start) > 6000 and agent.hears(1000, start) < 300
            sequences = [p.sequence for p in customer.since(start)]
            assert all((b - a) & 0xFFFF == 1 for a, b in itertools.pairwise(sequences))
            assert len({p.ssrc for p in customer.since(0)}) == 1
            left, _right = read_recording(path)  # while it grows
            assert len(left) > 8000 * 0.4
            table.client.stop_recording("r1")
            await table.until(lambda: table.told(ports.RecordingEnded))
            ended = table.told(ports.RecordingEnded)[0]
            assert isinstance(ended, ports.RecordingEnded)
            assert 1.2 < ended.seconds < 1.7 and ended.size_bytes == path.stat().st_size
            left, right = read_recording(path)
            assert level(left[4000:8000], 1000) > 6000 and level(left[4000:8000], 440) < 300
            assert level(right[4000:8000], 440) > 6000 and level(right[4000:8000], 1000) < 300

    asyncio.run(run())


def test_patching_takes_effect_with_the_next_packet(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440)
            await table.far_end("agent", 1000, near="customer")
            await asyncio.sleep(0.2)
            waits = []
            for i in range(10):
                customer.heard.clear()
                start = time.monotonic()
                table.client.set_room("call", {"customer": ("agent",), "agent": ("customer",)})
                await table.until(lambda: customer.heard)
                waits.append(customer.heard[0].at - start)
                table.client.set_room("call", {})
                await asyncio.sleep(0.03 + i * 0.002)
            assert np.median(waits) < 0.03 and max(waits) < 0.3  # the far end of the test shares the machine

    asyncio.run(run())


def test_a_stranger_cannot_inject_audio(tmp_path: Path) -> None:
    async def run() -> None:
        async with bench(tmp_path) as table:
            customer = await table.far_end("customer", 440)
            agent = await table.far_end("agent", 1000, near="customer")
            table.client.set_room("call", {"customer": ("agent",), "agent": ("customer",)})
            await asyncio.sleep(0.2)
            assert customer.target is not None
            other_host = await FarEnd(2000).open("127.0.0.2")
            same_host = await FarEnd(2500, ssrc=customer.ssrc).open()
            table.far_ends += [other_host, same_host]
            other_host.talk(customer.target)
            same_host.sequence = customer.sequence + 1
            same_host.talk(customer.target)
            start = time.monotonic()
            await asyncio.sleep(0.8)
            assert agent.hears(440, start) > 6000
            assert agent.hears(2000, start) < 300 and agent.hears(2500, start) < 300
            customer.talking = False  # silent: a new source of the same host is followed, the other host never
            await asyncio.sleep(1.0)
            start = time.monotonic()
            await asyncio.sleep(0.5)
            assert agent.hears(2500, start) > 6000 and agent.hears(2000, start) < 300

    asyncio.run(run())
