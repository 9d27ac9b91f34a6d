"""The far end of the carrier's SIP agent, message by message, on a clock that is moved by hand."""

from __future__ import annotations

import random

from demo.sip.call import Acked, Call, Invited
from demo.sip.endpoint import Endpoint
from demo.sip.message import Message, parse
from demo.sip.registrar import Registrar
from demo.sip.sdp import Audio, read

PEER = ("127.0.0.1", 5070)
PHONE = ("127.0.0.1", 5080)
SDP = Audio(("127.0.0.1", 4000)).write()


class Wire:
    """An endpoint and the far end's view of it. `sent()` are the messages since last asked."""

    def __init__(self) -> None:
        rng = random.Random(1)
        self.registrar = Registrar({"alice": "secret"}, rng)
        self.endpoint = Endpoint(("127.0.0.1", 5090), self.registrar, rng)
        self.now = 100.0

    def send(self, text: str, body: str = "") -> None:
        lines = [line.strip() for line in text.strip().splitlines()]
        if body:
            lines.append("Content-Type: application/sdp")
        data = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()
        self.endpoint.receive(data, PEER, self.now)

    def request(
        self, method: str, cseq: int = 1, *, tag: str = "", branch: str = "", body: str = "", more: str = ""
    ) -> None:
        to = f";tag={tag}" if tag else ""
        self.send(
            f"""{method} sip:13900000001@127.0.0.1:5090 SIP/2.0
            Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK{branch or method + str(cseq)};rport
            From: <sip:4000@127.0.0.1>;tag=far
            To: <sip:13900000001@127.0.0.1>{to}
            Call-ID: one@far
            CSeq: {cseq} {method}
            Contact: <sip:4000@127.0.0.1:5070>
            Max-Forwards: 70{chr(10) + more if more else ""}""",
            body,
        )

    def sent(self) -> list[Message]:
        out, self.endpoint.outbox = self.endpoint.outbox, []
        return [parse(data) for data, _ in out]

    def statuses(self) -> list[int | str]:
        return [message.status or message.method for message in self.sent()]

    def events(self) -> list[object]:
        out, self.endpoint.events = self.endpoint.events, []
        return list(out)

    def wait(self, seconds: float) -> list[int | str]:
        """Let time pass; what was sent meanwhile."""
        end = self.now + seconds
        while (due := self.endpoint.next_timer()) is not None and due <= end:
            self.now = max(self.now, due)
            self.endpoint.run_timers(self.now)
        self.now = end
        return self.statuses()

    def invited(self) -> Call:
        self.request("INVITE", body=SDP)
        event = self.events()[0]
        assert isinstance(event, Invited) and read(event.sdp).address == ("127.0.0.1", 4000)
        assert self.statuses() == [100]
        return event.call

    def answered(self) -> Call:
        call = self.invited()
        self.endpoint.answer(call, SDP, self.now)
        assert self.statuses() == [200]
        return call

    def talking(self) -> Call:
        call = self.answered()
        self.request("ACK", tag=call.local_tag)
        assert self.events() == [Acked(call, "")]
        return call


def answer_to(request: Message, status: int, tag: str = "phone", contact: str = "") -> str:
    to = request.get("to") + ("" if request.to_tag or status == 100 else f";tag={tag}")
    lines = [f"SIP/2.0 {status} Whatever", f"Via: {request.get('via')}", f"From: {request.get('from')}", f"To: {to}"]
    lines += [f"Call-ID: {request.call_id}", f"CSeq: {request.get('cseq')}"]
    return "\n".join([*lines, f"Contact: <{contact}>"] if contact else lines)
