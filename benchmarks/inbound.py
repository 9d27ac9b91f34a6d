"""From a caller's INVITE to the card on the agent's screen, and from the agent's answer to audio both ways.

    python -m benchmarks.inbound [--calls 100] [--rate 5] [--seconds 40]

A whole installation with `--calls` recorded inbound calls up, and `--rate` more coming in a second by SIPp, each looked
up (half of them are customers), queued, offered to the agent who is free longest, and answered over the API as soon as
the card is there. Card: from SIPp's sending of the INVITE to the agent's document with the ringing call on his
Socket.IO connection; beside it the floor, a document published to one browser at the same time. Audio: from sending the
agent's answer to the later of two packets, the first with his tone at the caller and the first with the caller's tone
at his edge; beside it the floor, a bare UDP relay asked by a datagram at the same moments (`benchmarks.bare_patch`; a
next packet is 0 to 20 ms away). The agents' audio is from a stand-in for the browser edge.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from benchmarks.answer_to_audio import percentiles
from benchmarks.answering_carrier import SO_TIMESTAMPNS, receive_stamped
from benchmarks.desks import Desk, Desks
from benchmarks.tones import socket_on_loopback
from benchmarks.whole import STAND_IN, Shop, Whole
from callcenter.acd.models import Queue, QueueMember
from callcenter.db.outbox import settings_changed
from callcenter.db.session import tenant_session
from callcenter.events import streams
from callcenter.numbers.models import DidNumber
from callcenter.telephony.models import TrunkRow
from crm.models import Customer
from tests.sip import sipp
from tests.system.installation import PASSWORD, ROOT
from tests.web.serving import Visitor

CARD_P99_MS, AUDIO_P99_MS = 150.0, 60.0
DID = "+862155550101"
PREFIX = "+8613700"
BETWEEN_S = 4.0  # of an agent, from one call's end to the next: hang-up, a second of wrap-up, waiting
FEWEST = 100  # calls under which percentiles say nothing
PROBE_EVERY_S = 0.1
_TOKEN = struct.Struct("!I")


@dataclass
class AnsweringDesks(Desks):
    """Agents who answer as soon as the card is there; the callers hang up. `cards`: number → when its ringing call was
    on the agent's screen; `answers`: number → (when the answer was sent, the agent); `floor`: number → when the bare
    relay, asked at that moment, gave its next packet."""

    patch: int = 0
    cards: dict[str, float] = field(default_factory=dict)
    answers: dict[str, tuple[float, int]] = field(default_factory=dict)
    floor: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        self._tokens: dict[int, str] = {}
        self._asking = socket_on_loopback()
        self._asking.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._asking.setblocking(True)
        self._asking.settimeout(0.5)
        threading.Thread(target=self._floors, daemon=True).start()
        super().start()

    def _seen(self, desk: Desk, doc: dict[str, Any], now: float) -> None:
        call = doc.get("call") or {}
        desk.state = doc["state"]
        if desk.state == "ringing" and desk.on != call["call_id"]:
            desk.on = call["call_id"]
            self.cards.setdefault(call["phone_e164"], now)
            self._hands.submit(self._answer, desk, call["phone_e164"])

    def _answer(self, desk: Desk, number: str) -> None:
        token = random.getrandbits(32)
        self._tokens[token] = number
        self.answers[number] = (time.time(), desk.user)
        self._asking.sendto(_TOKEN.pack(token), ("127.0.0.1", self.patch))
        self._press(desk, "/api/agent/call/answer", {})

    def _floors(self) -> None:
        while True:
            try:
                data, at = receive_stamped(self._asking)
            except TimeoutError:
                continue
            except OSError:
                return
            number = self._tokens.pop(_TOKEN.unpack(data[:4])[0], None)
            if number is not None:
                self.floor[number] = at


class Probe(threading.Thread):
    """A document to one browser every PROBE_EVERY_S; `took`: (when, ms until it was there)."""

    def __init__(self, whole: Whole, tenant: int) -> None:
        super().__init__(daemon=True)
        self.took: list[tuple[float, float]] = []
        self._tenant, self._redis = tenant, whole.redis()
        visitor = Visitor(whole.address)
        visitor.sign_in("acme", "owner", PASSWORD)
        self._topic = f"user:{visitor.call('GET', '/api/auth/me')[1]['user']['id']}"
        self._socket = visitor.socket()
        self._socket.subscribe(self._topic)
        self.running = True

    def run(self) -> None:
        while self.running:
            sent = time.time()
            streams.publish(self._tenant, self._topic, {"at": sent}, self._redis)
            try:
                while self._socket.doc(2.0)["doc"].get("at") != sent:
                    continue
                self.took.append((sent, (time.time() - sent) * 1000))
            except TimeoutError:
                self.took.append((sent, 2000.0))
            time.sleep(PROBE_EVERY_S)


def number(i: int) -> str:
    """The caller of the `i`-th call."""
    return f"{PREFIX}{i:06d}"


def fill(shop: Shop, count: int) -> None:
    """One number that leads to one queue of all agents; every other caller is a customer."""
    with tenant_session(shop.tenant) as session:
        trunk = session.query(TrunkRow).one()
        trunk.inbound_channels, trunk.inbound_calls_per_second = 0, 0
        queue = Queue(name="Calls", wrap_up_s=1, service_level_s=20)
        session.add(queue)
        session.flush()
        session.add_all([QueueMember(queue_id=queue.id, user_id=u) for u in shop.users])
        to = {"kind": "queue", "id": queue.id, "number": ""}
        did = DidNumber(e164=DID, name="Calls", open_to=to, closed_to=to)
        session.add(did)
        rows = [{"tenant_id": shop.tenant, "name": f"Customer {i}", "phones": [number(i)]} for i in range(0, count, 2)]
        session.execute(insert(Customer), rows)
        session.flush()
        for entity, id_ in (("trunk", trunk.id), ("queue", queue.id), ("number", did.id)):
            settings_changed(session, entity, id_)


def scenario(talk_ms: int) -> str:
    """A call of `talk_ms` from the answer, hung up by the caller."""
    to, caller = "[field1]", "[field0]"
    return sipp.scenario(
        sipp.start(to=to, caller=caller, body=sipp.sdp().replace("audio 18000", "audio [field2]")),
        '<recv response="100" optional="true"/>',
        '<recv response="180" optional="true"/>',
        '<recv response="200" rrs="true"/>',
        sipp.follow("ACK", to=to, caller=caller),
        f'<pause milliseconds="{talk_ms}"/>',
        sipp.follow("BYE", to=to, caller=caller, cseq=2),
        '<recv response="200"/>',
    )


def call_in(folder: Path, ports: list[int], to: int, rate: float, talk_s: float) -> subprocess.Popen[bytes]:
    """SIPp with one call for each telephone."""
    (folder / "scenario.xml").write_text(scenario(int(talk_s * 1000)))
    lines = [f"{number(i)};{DID};{port}" for i, port in enumerate(ports)]
    (folder / "callers.csv").write_text("SEQUENTIAL\n" + "\n".join(lines) + "\n")
    with socket_on_loopback() as probe:
        mine = probe.getsockname()[1]
    silent = subprocess.DEVNULL
    return subprocess.Popen(
        ["sipp", f"127.0.0.1:{to}", "-sf", "scenario.xml", "-inf", "callers.csv", "-i", "127.0.0.1", "-p", str(mine),
         "-m", str(len(ports)), "-r", str(round(rate * 10)), "-rp", "10000", "-nostdin", "-cid_str", "%u-%p@%s",
         "-trace_shortmsg", "-shortmessage_file", "short.log", "-trace_err", "-error_file", "errors.log"],
        cwd=folder, stdin=silent, stdout=silent, stderr=silent, env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip


def invited_at(folder: Path) -> dict[str, float]:
    """Number → when SIPp sent its first INVITE."""
    out: dict[str, float] = {}
    for line in (folder / "short.log").read_text(errors="replace").splitlines():
        parts = line.split("\t")
        if len(parts) >= 7 and parts[3] == "S" and parts[6].startswith("INVITE "):
            out.setdefault(number(int(parts[4].split("-")[0]) - 1), float(parts[2]))
    return out


def _start(*words: object, out: bool = False) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", *(str(w) for w in words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE if out else None, cwd=ROOT)


def measure(calls: int, rate: float, seconds: float, folder: Path) -> dict[str, Any]:
    """Run it all; see `report` for what is returned."""
    talk_s = calls / rate
    warm_up_s = talk_s + 5.0
    count, agents = round(rate * (warm_up_s + seconds)), round(calls + rate * BETWEEN_S)
    with socket_on_loopback() as probe:
        patch = probe.getsockname()[1]
    heard_file = folder / "edge_heard.json"
    helpers = [_start("benchmarks.bare_patch", patch), _start("benchmarks.calling_phones", count, out=True)]
    whole = Whole(folder / "var", STAND_IN_HEARD=str(heard_file))
    peer: subprocess.Popen[bytes] | None = None
    try:
        phones = helpers[1]
        assert phones.stdout is not None
        ports: list[int] = json.loads(phones.stdout.readline())
        whole.start()
        shop = Shop({PREFIX: 9}, agents).open()
        fill(shop, count)
        time.sleep(2.0)
        desks = AnsweringDesks(whole.address, 0, None, patch=patch)
        desks.sign_in(agents)
        desks.start()
        probe_ = Probe(whole, shop.tenant)
        probe_.start()
        peer = call_in(folder, ports, whole.ports["SIP_PORT"], rate, talk_s)
        time.sleep(warm_up_s)
        began, before = time.time(), whole.cpu_s()
        time.sleep(seconds)
        ended, after, load = time.time(), whole.cpu_s(), os.getloadavg()[0]
        up = int(whole.redis().hlen(f"calls:{shop.tenant}"))
        probe_.running = False
        desks.stop()
        phones.send_signal(signal.SIGTERM)
        heard = {int(port): at for port, at in json.loads(phones.stdout.read() or b"{}").items()}
        invited = invited_at(folder)
        errors = [e["message"] for e in whole.logs("error", "critical")]
    finally:
        for helper in [*helpers, *([peer] if peer else [])]:
            helper.kill()
            helper.wait()
        whole.stop()
    at_edge: dict[str, list[float]] = json.loads(heard_file.read_text())
    rows = []
    for i, port in enumerate(ports):
        caller = number(i)
        if not began <= invited.get(caller, 0.0) <= ended - 1.0:
            continue
        answered, agent = desks.answers.get(caller, (None, 0))
        later = [t for t in at_edge.get(f"{shop.tenant}-{agent}", []) if answered is not None and t >= answered]
        rows.append(
            {
                "caller": caller, "agent": agent, "invited": invited[caller], "card": desks.cards.get(caller),
                "answered": answered, "caller_hears": heard.get(port), "agent_hears": later[0] if later else None,
                "floor": desks.floor.get(caller),
            }
        )  # fmt: skip
    return {
        "rows": rows, "up": up, "load": load, "errors": errors, "refused": desks.refused,
        "probe": [ms for at, ms in probe_.took if began <= at <= ended],
        "cpu": {name: (after[name] - before[name]) / (ended - began) * 100 for name in sorted(after)},
    }  # fmt: skip


def report(seen: dict[str, Any], seconds: float) -> int:
    """Print the figures; 1 if a goal is missed."""
    rows = seen["rows"]
    cards = [(r["card"] - r["invited"]) * 1000 for r in rows if r["card"] is not None]
    both = [r for r in rows if None not in (r["answered"], r["caller_hears"], r["agent_hears"])]
    audio = [(max(r["caller_hears"], r["agent_hears"]) - r["answered"]) * 1000 for r in both]
    floor = [(r["floor"] - r["answered"]) * 1000 for r in rows if r["floor"] is not None]
    uncarded, silent = len(rows) - len(cards), len(rows) - len(both)
    print(f"{len(rows)} calls came in during {seconds:.0f} s, {seen['up']} recorded calls up at the end of it")
    if min(len(cards), len(audio), len(floor), len(seen["probe"])) < FEWEST:
        print(f"only {len(cards)} cards, {len(audio)} with audio: nothing to report")
        print(seen["refused"][:3], seen["errors"][:3])
        return 1
    print(f"{'ms':44}{'p50':>8}{'p90':>8}{'p99':>8}{'worst':>8}")
    table = {
        "from INVITE to the card on the agent's screen": cards,
        "floor: a document to one browser": seen["probe"],
        "from the agent's answer to audio both ways": audio,
        "floor: a bare relay": floor,
    }
    figures = {name: percentiles(values) for name, values in table.items()}
    for name, values in table.items():
        p50, p90, p99 = figures[name]
        print(f"{name:44}{p50:8.1f}{p90:8.1f}{p99:8.1f}{max(values):8.1f}")
    card, bare_card, voice, bare_voice = figures.values()
    print(f"ratio to the floor: card p50 {card[0] / bare_card[0]:.1f}, p99 {card[2] / bare_card[2]:.1f}; ", end="")
    print(f"audio p50 {voice[0] / bare_voice[0]:.1f}, p99 {voice[2] / bare_voice[2]:.1f}")
    print(f"goals: card p99 ≤ {CARD_P99_MS:g}, audio p99 ≤ {AUDIO_P99_MS:g}")
    cost = ", ".join(f"{name} {value:.0f}" for name, value in seen["cpu"].items() if value >= 0.5)
    print(f"CPU, % of a core: {cost}; load average {seen['load']:.1f} on {os.cpu_count()} cores")
    print("agents post over the connection that their browser keeps open")
    print(f"calls without a card {uncarded}, without audio both ways {silent}")
    print(f"refused by the API {len(seen['refused'])}, errors logged {len(seen['errors'])}; {STAND_IN}")
    for line in [*seen["refused"][:3], *seen["errors"][:3]]:
        print(f"  {line}")
    good = card[2] <= CARD_P99_MS and voice[2] <= AUDIO_P99_MS
    return 0 if good and not (uncarded or silent or seen["errors"]) else 1


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100, help="calls up")
    parser.add_argument("--rate", type=float, default=5.0, help="calls that come in a second")
    parser.add_argument("--seconds", type=float, default=40.0, help="measured time")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="inbound_"))
    try:
        seen = measure(options.calls, options.rate, options.seconds, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report(seen, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
