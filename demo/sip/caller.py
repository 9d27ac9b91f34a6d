"""The calling half of the user agent: requests of ours, the calls they make, and what both halves share."""

from __future__ import annotations

import random
from collections.abc import Callable

from demo.sip.call import Answered, Call, Event, Failed, Progressed, State
from demo.sip.message import Address, Message, uri_of, user_of
from demo.sip.transactions import GIVE_UP_S, Client, Timers

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REGISTER"
AGENT = "Demo Carrier"
COOKIE = "z9hG4bK"
"""Begins every branch of RFC 3261."""
Key = tuple[str, ...]


class Caller:
    """Requests from the UDP address `local` (host, port). `Endpoint` adds the answering half."""

    def __init__(self, local: Address, rng: random.Random) -> None:
        self.outbox: list[tuple[bytes, Address]] = []
        self.events: list[Event] = []
        self._local = local
        self._rng = rng
        self._timers = Timers()
        self._clients: dict[Key, Client] = {}
        self._calls: dict[Key, Call] = {}

    def invite(self, uri: str, to: Address, sender: str, sdp: str, now: float) -> Call:
        """Call `uri` at `to` (a registered contact) in the name of number `sender`."""
        host, port = self._local
        tag = self._token(48)
        call = Call(
            number=user_of(uri),
            call_id=self._token(96),
            local=f"<sip:{sender}@{host}:{port}>;tag={tag}",
            remote=f"<{uri}>",
            local_tag=tag,
            remote_tag="",
            target=uri,
            peer=to,
            local_cseq=1,
        )
        request = call.request("INVITE", self._via(), 1)
        request.headers.append(("contact", self._contact()))
        request.headers.append(("allow", ALLOW))
        request = self._with_sdp(request, sdp)
        call.client = self._start(
            request,
            to,
            now,
            lambda response, at: self._take_answer(call, response, at),
            lambda at: self._fail(call, 408, "Request Timeout"),
        )
        return call

    def _start(
        self,
        request: Message,
        to: Address,
        now: float,
        on_response: Callable[[Message, float], None],
        on_lost: Callable[[float], None],
    ) -> Client:
        key = (request.branch, request.method)
        client = Client(request, to, self._send, self._timers, on_response, on_lost, lambda: self._drop_client(key))
        self._clients[key] = client
        client.start(now)
        return client

    def _drop_client(self, key: Key) -> None:
        self._clients.pop(key, None)

    def _take_answer(self, call: Call, response: Message, now: float) -> None:
        """A response to our INVITE. One that is answered after our CANCEL is acknowledged and hung up."""
        if response.status < 200:
            if call.state is State.LEAVING:
                self._cancel(call, now)
            elif call.state is State.EARLY and response.status > 100:
                self.events.append(Progressed(call, response.status, response.sdp))
        elif response.status >= 300:
            self._fail(call, response.status, response.reason)
        elif call.ack:
            self._send(call.ack, call.next_hop())
        else:
            call.remote, call.remote_tag = response.get("to"), response.to_tag
            call.target = uri_of(response.get("contact")) or call.target
            call.routes = response.all("record-route")[::-1]
            self._calls[call.key] = call
            call.ack = call.request("ACK", self._via(), call.local_cseq).encode()
            self._send(call.ack, call.next_hop())
            wanted = call.state is State.EARLY
            call.state = State.CONFIRMED
            if wanted:
                self.events.append(Answered(call, response.sdp))
            else:
                self._bye(call, now)

    def _cancel(self, call: Call, now: float) -> None:
        """CANCEL, once a provisional response has come (9.1): same branch as the INVITE."""
        if call.client is None or call.cancel_sent:
            return
        call.cancel_sent = True
        invite = call.client.request
        cancel = Message(method="CANCEL", uri=invite.uri)
        kept = ("via", "from", "to", "call-id", "max-forwards", "route")
        cancel.headers = [(k, v) for k, v in invite.headers if k in kept]
        cancel.headers.append(("cseq", f"{invite.cseq} CANCEL"))
        self._start(cancel, call.client.to, now, lambda *_: None, lambda _: None)
        call.client.limit(now + GIVE_UP_S)

    def _bye(self, call: Call, now: float) -> None:
        call.state = State.LEAVING
        call.local_cseq += 1
        bye = self._described(call.request("BYE", self._via(), call.local_cseq))
        self._start(bye, call.next_hop(), now, lambda *_: self._forget(call), lambda _: self._forget(call))

    def _fail(self, call: Call, status: int, reason: str) -> None:
        told = call.state is not State.EARLY
        self._forget(call)
        if not told:
            self.events.append(Failed(call, status, reason))

    def _forget(self, call: Call) -> None:
        call.state = State.ENDED
        self._calls.pop(call.key, None)

    def _send(self, datagram: bytes, to: Address) -> None:
        self.outbox.append((datagram, to))

    def _token(self, bits: int) -> str:
        return f"{self._rng.getrandbits(bits):0{bits // 4}x}"

    def _via(self) -> str:
        return f"SIP/2.0/UDP {self._local[0]}:{self._local[1]};branch={COOKIE}{self._token(64)};rport"

    def _contact(self) -> str:
        return f"<sip:carrier@{self._local[0]}:{self._local[1]}>"

    @staticmethod
    def _described(message: Message) -> Message:
        message.headers += [("allow", ALLOW), ("user-agent" if message.method else "server", AGENT)]
        return message

    @staticmethod
    def _with_sdp(message: Message, sdp: str) -> Message:
        if sdp:
            message.headers.append(("content-type", "application/sdp"))
            message.body = sdp.encode()
        return message
