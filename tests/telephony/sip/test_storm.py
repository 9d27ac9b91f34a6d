"""Many calls at once to a carrier that is slow, answers as it likes, and loses, doubles and delays packets."""

from __future__ import annotations

import asyncio
import random
import re

import pytest

from callcenter.telephony.ports import LegAnswered, LegEnded
from tests.sip.sipp import sdp
from tests.telephony.sip.harness import CALLEE, CALLER, LOCAL, run, running, trunk

CALLS = 120
REPEAT_S = 0.3  # sooner than SIP's T1, to be done in seconds


class WildCarrier(asyncio.DatagramProtocol):
    """Answers each INVITE by chance: a while of silence or ringing, then busy or 200, repeated until the ACK."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.finals: dict[str, str] = {}  # Call-ID → final response that awaits its ACK
        self.chosen: dict[str, int] = {}
        self.open: set[str] = set()  # dialogs that were answered and not hung up
        self.acknowledged: set[str] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.rng.random() < 0.05:
            return
        text = data.decode()
        method = text.split(" ", 1)[0]
        head = {name: f"{name}: {value}" for name, value in re.findall(r"^([\w-]+): (.*?)\r$", text, re.MULTILINE)}
        call_id = head["Call-ID"]
        loop = asyncio.get_running_loop()
        if method == "INVITE" and call_id not in self.chosen:
            status = self.chosen[call_id] = self.rng.choice([200, 200, 200, 486, 404])
            if self.rng.random() < 0.7:
                self._send(self._reply(head, 180), addr)
            loop.call_later(self.rng.uniform(0, 0.6), self._finish, call_id, self._reply(head, status), addr)
        elif method == "CANCEL":
            self._send(self._reply(head, 200), addr)
            if call_id not in self.finals and call_id not in self.acknowledged and call_id not in self.open:
                invite = {**head, "CSeq": head["CSeq"].replace("CANCEL", "INVITE")}
                self._finish(call_id, self._reply(invite, 487), addr)
        elif method == "ACK":
            self.finals.pop(call_id, None)
            self.acknowledged.add(call_id)
        elif method == "BYE":
            self.open.discard(call_id)
            self.finals.pop(call_id, None)
            self._send(self._reply(head, 200), addr)

    def _finish(self, call_id: str, reply: str, addr: tuple[str, int]) -> None:
        if call_id in self.finals or call_id in self.acknowledged:
            return
        self.finals[call_id] = reply
        if reply.startswith("SIP/2.0 200"):
            self.open.add(call_id)
        self._repeat(call_id, addr)

    def _repeat(self, call_id: str, addr: tuple[str, int]) -> None:
        if call_id in self.finals:
            self._send(self.finals[call_id], addr)
            asyncio.get_running_loop().call_later(REPEAT_S, self._repeat, call_id, addr)

    def _reply(self, head: dict[str, str], status: int) -> str:
        to = head["To"] if ";tag=" in head["To"] else f"{head['To']};tag=callee"
        own = self.transport.get_extra_info("sockname")[1]
        answers_invite = status == 200 and head["CSeq"].endswith("INVITE")
        body = sdp().replace("[local_ip]", "127.0.0.1").replace("\n", "\r\n") if answers_invite else ""
        lines = [
            f"SIP/2.0 {status} Whatever",
            *(head[name] for name in ("Via", "From")),
            to,
            *(head[name] for name in ("Call-ID", "CSeq")),
            f"Contact: <sip:callee@127.0.0.1:{own}>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines) + "\r\n\r\n" + body

    def _send(self, reply: str, addr: tuple[str, int]) -> None:
        for _ in range(2 if self.rng.random() < 0.05 else 1):
            if self.rng.random() >= 0.05:
                delay = self.rng.uniform(0, 0.02)
                asyncio.get_running_loop().call_later(delay, self.transport.sendto, reply.encode(), addr)


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_every_leg_ends_once_and_no_dialog_stays_open_at_the_carrier(seed: int) -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        transport, carrier = await loop.create_datagram_endpoint(lambda: WildCarrier(seed), local_addr=("127.0.0.1", 0))
        rng = random.Random(seed)
        async with running(cancel_grace_s=1.0) as engine:
            engine.port.set_trunks({1: trunk(transport.get_extra_info("sockname")[1])})
            for number in range(CALLS):
                leg = f"leg{number}"
                engine.port.originate(leg, 1, CALLEE, CALLER, LOCAL, rng.uniform(0.05, 1.0))
                if rng.random() < 0.5:
                    loop.call_later(rng.uniform(0, 0.8), engine.port.hangup, leg)
                await asyncio.sleep(0.005)

            def hang_up_answered() -> bool:
                for event in engine.of(LegAnswered):
                    engine.port.hangup(event.leg_id)
                return len(engine.of(LegEnded)) == CALLS

            await engine.until(hang_up_answered, 15)
            for _ in range(100):
                if not carrier.open and not carrier.finals:
                    break
                await asyncio.sleep(0.1)
            assert not carrier.open, "a callee was left on the line"
            assert not carrier.finals, "a final response was never acknowledged"
            assert len({event.leg_id for event in engine.of(LegEnded)}) == CALLS
        transport.close()

    run(check())


def test_hanging_up_during_the_look_up_of_a_name_sends_nothing() -> None:
    async def check() -> None:
        async with running() as engine:
            engine.port.set_trunks({1: trunk(5060, host="nowhere.invalid")})
            engine.port.originate("leg", 1, CALLEE, CALLER, LOCAL, 5.0)
            engine.port.hangup("leg")
            ended = await engine.ended()
            await asyncio.sleep(0.1)
        assert (ended.cause, ended.by_us) == ("cancelled", True)

    run(check())
