"""Chromium as an agent's browser: a fake microphone that speaks a tone, no questions asked."""

from __future__ import annotations

import re
import shutil
import time
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


# Every audio track that a page receives passes an analyser too: `window.heard(hz)` is the loudness of a tone in the
# last 170 ms, 0 to 1, the loudest of all tracks.
EAR = """
(() => {
  const Real = window.RTCPeerConnection;
  const ears = [];
  window.RTCPeerConnection = class extends Real {
    constructor(...given) {
      super(...given);
      this.addEventListener("track", (event) => {
        const context = new AudioContext();
        const ear = context.createAnalyser();
        ear.fftSize = 8192;
        context.createMediaStreamSource(new MediaStream([event.track])).connect(ear);
        ears.push([context, ear]);
      });
    }
  };
  window.heard = (hz) => Math.max(0, ...ears.map(([context, ear]) => {
    const samples = new Float32Array(ear.fftSize);
    ear.getFloatTimeDomainData(samples);
    let re = 0, im = 0;
    samples.forEach((x, i) => {
      const w = (2 * Math.PI * hz * i) / context.sampleRate;
      re += x * Math.cos(w);
      im += x * Math.sin(w);
    });
    return (2 * Math.hypot(re, im)) / samples.length;
  }));
})();
"""
# Of 1. The voices swell to 0.37, of which Chromium's own noise suppression takes some away.
LOUD, FAINT = 0.01, 0.003


def tone_wav(path: Path, hz: float) -> Path:
    """Four seconds of a tone as Chromium's fake microphone wants it; it plays in a loop."""
    t = np.arange(48_000 * 4) / 48_000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        # It swells as a voice does: a steady tone is noise to Chromium, which suppresses it more and more.
        swell = 0.5 - 0.5 * np.cos(2 * np.pi * 3 * t)
        file.writeframes((np.sin(2 * np.pi * hz * t) * swell * 12000).astype("<i2").tobytes())
    return path


def launch(playwright: Playwright, microphone: Path | None = None) -> Browser:
    """A headless Chromium. Fails, naming the package, where there is none."""
    binary = shutil.which("chromium")
    assert binary is not None, "Chromium is missing: apt-get install chromium"
    more = [f"--use-file-for-fake-audio-capture={microphone}"] if microphone else []
    return playwright.chromium.launch(executable_path=binary, args=[*ARGUMENTS, *more])


def sign_in(page: Page, address: str, enterprise: str, username: str, password: str) -> None:
    """Sign in by hand."""
    page.goto(address)
    page.get_by_label("Enterprise code").fill(enterprise)
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.locator("header").first.wait_for()


def settle(page: Page) -> None:
    """Wait until nothing on the page moves or fades: colours halfway are nobody's choice."""
    page.evaluate(
        "() => Promise.all(document.getAnimations().filter((a) => a.effect.getComputedTiming().endTime !== Infinity)"
        ".map((a) => a.finished.catch(() => undefined)))"
    )


def faults(page: Page) -> list[str]:
    """Serious faults that axe finds on the page, with nothing moving: what fades has no contrast of its own."""
    page.emulate_media(reduced_motion="reduce")
    settle(page)
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    return [f"{v['id']}: {node['html'][:160]}" for v in serious for node in v["nodes"]]


class AgentAtWork:
    """One agent in one Chromium, working by mouse and keys like a person."""

    def __init__(self, playwright: Playwright, folder: Path, address: str, username: str, password: str, hz: float):
        self.browser = launch(playwright, tone_wav(folder / f"{username}.wav", hz))
        context = self.browser.new_context(
            viewport={"width": 1366, "height": 768}, locale="en-US", permissions=["microphone"]
        )
        context.add_init_script(EAR)
        self.page = context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        sign_in(self.page, address, "acme", username, password)
        self.page.goto(f"{address}/desk")
        self.cards: list[str] = []
        self._call = ""

    @property
    def _button(self) -> Locator:
        return self.page.get_by_role("button", name=re.compile("^Change"))

    def choose_available(self) -> None:
        """Choose Available in the call bar."""
        self._button.click()
        self.page.get_by_role("menuitem", name="Available").click()

    def available(self) -> None:
        """Choose Available, and wait until it is so."""
        self.choose_available()
        self.wait_for("Available")

    def state(self) -> str:
        """The state that the call bar shows."""
        return (self._button.get_attribute("aria-label") or "").partition(": ")[2]

    def wait_for(self, *states: str, timeout_s: float = 45.0) -> None:
        """Wait until the call bar shows one of `states`."""
        end = time.monotonic() + timeout_s
        while self.state() not in states:
            assert time.monotonic() < end, f"{self.state()} and not {states}"
            self.page.wait_for_timeout(50)

    def heard(self, hz: float) -> float:
        """How loud the tone `hz` has been in the agent's ear in the last 170 ms, 0 to 1."""
        return float(self.page.evaluate("hz => window.heard(hz)", hz))

    def until_hears(self, hz: float, but_not: Sequence[float] = (), timeout_s: float = 10.0) -> None:
        """Wait until the tone `hz` is in the agent's ear, and none of `but_not`."""
        end = time.monotonic() + timeout_s
        while self.heard(hz) < LOUD or any(self.heard(other) > FAINT for other in but_not):
            levels = {tone: round(self.heard(tone), 4) for tone in (hz, *but_not)}
            assert time.monotonic() < end, f"{hz} Hz and not {but_not}; heard {levels}"
            self.page.wait_for_timeout(50)

    def customer(self) -> str:
        """The name in the call bar."""
        return self.page.locator(".callbar").get_by_text(re.compile(r"^Lead \d+$")).first.inner_text()

    def turn(self, talk_ms: int) -> None:
        """If a customer is on the line: look at the card, talk, hang up, set the outcome."""
        if self.state() != "On call":
            return
        name = self.customer()
        assert self.page.locator("main").get_by_text(name).first.is_visible(), "the card is on the desk"
        self.cards.append(name)
        self.page.wait_for_timeout(talk_ms)
        self.page.keyboard.press("Space")
        self.page.keyboard.press("Space")
        self.wait_for("Wrap-up", timeout_s=15)
        self.page.keyboard.press("1")
        self.page.keyboard.press("Enter")
        self.wait_for("Available", "On call", timeout_s=15)

    def close(self) -> None:
        """Leave."""
        self.browser.close()
