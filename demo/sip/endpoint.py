"""The user agent: datagrams and commands in, datagrams and events out.

The shell owns the socket and the clock. It feeds `receive` and `run_timers`, sends what `outbox` holds, and acts on
`events`; both lists are its to empty. Every method takes `now`, seconds of one monotonic clock; `next_timer` says when
`run_timers` is wanted next. A call lives from `Invited` (or `invite`) to exactly one `Ended` or `Failed`; after the
shell's own `reject` or `hang_up` no event follows for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from demo.sip.call import Acked, Answered, Call, Ended, Event, Failed, Invited, Progressed, Reoffered, State
from demo.sip.message import Address, BadMessage, Message, parse, reply_address, response_to, uri_of, user_of
from demo.sip.registrar import Registrar
from demo.sip.transactions import GIVE_UP_S, Client, ServerInvite, Timers

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REGISTER"
AGENT = "Demo Carrier"
_COOKIE = "z9hG4bK"
_Key = tuple[str, ...]


class Endpoint:
    """One UDP address `local` (host, port) with all its calls."""

    def __init__(self, local: Address, registrar: Registrar, rng: random.Random) -> None:
        self.outbox: list[tuple[bytes, Address]] = []
        self.events: list[Event] = []
        self._local = local
        self._registrar = registrar
        self._rng = rng
        self._timers = Timers()
        self._invites: dict[_Key, tuple[ServerInvite, Call]] = {}
        self._merged: set[_Key] = set()
        self._refused: dict[_Key, ServerInvite] = {}
        self._answers: dict[_Key, tuple[bytes, Address]] = {}
        self._clients: dict[_Key, Client] = {}
        self._calls: dict[_Key, Call] = {}

    # ------------------------------------------------------------------------------------------------ the shell's side

    def next_timer(self) -> float | None:
        """When `run_timers` is wanted, None for not at all."""
        return self._timers.next_at()

    def run_timers(self, now: float) -> None:
        """Send again what was not answered, give up what is too old."""
        self._timers.run(now)

    def receive(self, datagram: bytes, source: Address, now: float) -> None:
        """One datagram. What can't be read is dropped: an answer would have nobody to go to."""
        if not datagram.strip(b"\r\n\0"):
            return
        try:
            message = parse(datagram, source)
        except BadMessage:
            return
        if message.status:
            client = self._clients.get((message.branch, message.cseq_method))
            if client:
                client.receive(message, now)
        elif message.method == "ACK":
            self._take_ack(message, now)
        elif message.method == "INVITE":
            self._take_invite(message, now)
        elif cached := self._answers.get(_transaction(message)):
            self._send(*cached)
        elif message.method == "CANCEL":
            self._take_cancel(message, now)
        else:
            self._answer(message, self._other(message, now), now)

    # ------------------------------------------------------------------------------------------- commands, calls to us

    def ring(self, call: Call, now: float, *, sdp: str = "") -> None:
        """180, or 183 with early media when `sdp` is given."""
        self._respond(call, 183 if sdp else 180, "Session Progress" if sdp else "Ringing", now, sdp)

    def answer(self, call: Call, sdp: str, now: float) -> None:
        """200 with `sdp`; repeated until its ACK comes."""
        if call.state is State.EARLY and call.server:
            call.state = State.ANSWERED
            self._respond(call, 200, "OK", now, sdp)

    def reject(self, call: Call, status: int, reason: str, now: float) -> None:
        """A final refusal, 300 … 699."""
        if call.state is State.EARLY and call.server:
            self._respond(call, status, reason, now)
            self._forget(call)

    def accept_offer(self, call: Call, sdp: str, now: float) -> None:
        """The answer to a re-INVITE."""
        if call.reinvite:
            response = self._described(response_to(call.reinvite.request, 200, "OK"))
            response.headers.append(("contact", self._contact()))
            call.reinvite.respond(self._with_sdp(response, sdp), now)

    def refuse_offer(self, call: Call, now: float) -> None:
        """488 to a re-INVITE; the call goes on as it was."""
        if call.reinvite:
            call.reinvite.respond(response_to(call.reinvite.request, 488, "Not Acceptable Here"), now)

    # -------------------------------------------------------------------------------------------- commands, both sides

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

    def hang_up(self, call: Call, now: float) -> None:
        """End the call, however far it is: BYE, CANCEL, or 480."""
        if call.state is State.CONFIRMED:
            self._bye(call, now)
        elif call.state is State.ANSWERED:
            call.hang_up_at_ack = True
        elif call.state is State.EARLY and call.server:
            self.reject(call, 480, "Temporarily Unavailable", now)
        elif call.state is State.EARLY and call.client:
            call.state = State.LEAVING
            if call.client.status:
                self._cancel(call, now)

    # -------------------------------------------------------------------------------------------------- requests to us

    def _take_invite(self, request: Message, now: float) -> None:
        key = _transaction(request)
        if known := self._invites.get(key):
            known[0].repeated()
        elif refused := self._refused.get(key):
            refused.repeated()
        elif request.to_tag:
            self._take_reinvite(request, key, now)
        elif _origin(request) in self._merged:
            self._refuse(request, key, 482, "Loop Detected", now)
        elif required := request.all("require"):
            self._refuse(request, key, 420, "Bad Extension", now, ("unsupported", ", ".join(required)))
        elif not (contact := uri_of(request.get("contact"))).lower().startswith("sip:"):
            self._refuse(request, key, 400, "Contact Missing", now)
        else:
            tag = self._token(48)
            call = Call(
                number=user_of(request.uri),
                call_id=request.call_id,
                local=f"{request.get('to')};tag={tag}",
                remote=request.get("from"),
                local_tag=tag,
                remote_tag=request.from_tag,
                target=contact,
                peer=request.source,
                routes=request.all("record-route"),
                remote_cseq=request.cseq,
            )
            call.server = self._serve(request, key, call)
            self._calls[call.key] = call
            call.server.respond(response_to(request, 100, "Trying"), now)
            self.events.append(Invited(call, request.sdp))

    def _take_reinvite(self, request: Message, key: _Key, now: float) -> None:
        call = self._calls.get((request.call_id, request.to_tag, request.from_tag))
        if call is None or call.state not in (State.ANSWERED, State.CONFIRMED):
            self._refuse(request, key, 481, "Call/Transaction Does Not Exist", now)
        elif request.cseq <= call.remote_cseq or (call.reinvite and not call.reinvite.final):
            self._refuse(request, key, 500, "Server Internal Error", now, ("retry-after", "1"))
        else:
            call.remote_cseq = request.cseq
            call.target = uri_of(request.get("contact")) or call.target
            call.reinvite = self._serve(request, key, call)
            self.events.append(Reoffered(call, request.sdp))

    def _take_ack(self, request: Message, now: float) -> None:
        """The ACK of a refusal carries the INVITE's branch, that of a 2xx only the dialog."""
        key = _transaction(request)
        if refused := self._refused.get(key):
            refused.ack(now)
            return
        known = self._invites.get(key)
        if known and known[0].status >= 300:
            known[0].ack(now)
            return
        call = self._calls.get((request.call_id, request.to_tag, request.from_tag))
        for invite in (call.server, call.reinvite) if call else ():
            if call and invite and invite.request.cseq == request.cseq and invite.final and not invite.acked:
                invite.ack(now)
                self._confirm(call, now)
                if call.state is State.CONFIRMED:
                    self.events.append(Acked(call, request.sdp))

    def _other(self, request: Message, now: float) -> Message:
        """The response to anything but INVITE, ACK and CANCEL."""
        if request.method == "OPTIONS" and not request.to_tag:
            return self._described(response_to(request, 200, "OK", self._token(48)))
        if request.method == "REGISTER":
            return self._registrar.receive(request, now)
        if request.method not in ALLOW.split(", "):
            return self._described(response_to(request, 405, "Method Not Allowed", self._token(48)))
        call = self._calls.get((request.call_id, request.to_tag, request.from_tag))
        if call is None:
            return response_to(request, 481, "Call/Transaction Does Not Exist", self._token(48))
        if request.method == "BYE":
            self._end(call, "bye", now)
        return self._described(response_to(request, 200, "OK"))

    def _take_cancel(self, request: Message, now: float) -> None:
        known = self._invites.get(_transaction(request, "INVITE"))
        if known is None:
            gone = response_to(request, 481, "Call/Transaction Does Not Exist", self._token(48))
            self._answer(request, gone, now)
            return
        invite, call = known
        self._answer(request, response_to(request, 200, "OK", call.local_tag), now)
        if not invite.final and invite is call.server:
            self._end(call, "cancelled", now)

    def _serve(self, request: Message, key: _Key, call: Call) -> ServerInvite:
        invite = ServerInvite(
            request,
            self._send,
            self._timers,
            on_lost=lambda now: self._lose(call, now),
            on_end=lambda: self._drop_invite(key),
        )
        self._invites[key] = (invite, call)
        self._merged.add(_origin(request))
        return invite

    def _drop_invite(self, key: _Key) -> None:
        invite, _ = self._invites.pop(key)
        self._merged.discard(_origin(invite.request))

    def _refuse(
        self, request: Message, key: _Key, status: int, reason: str, now: float, *more: tuple[str, str]
    ) -> None:
        """Refuse an INVITE that makes no call."""
        response = response_to(request, status, reason, self._token(48))
        response.headers.extend(more)
        invite = ServerInvite(
            request, self._send, self._timers, on_lost=lambda _: None, on_end=lambda: self._drop_refused(key)
        )
        self._refused[key] = invite
        invite.respond(response, now)

    def _drop_refused(self, key: _Key) -> None:
        self._refused.pop(key, None)

    def _answer(self, request: Message, response: Message, now: float) -> None:
        """Send a response that repeats itself for as long as the request may be repeated."""
        key, cached = _transaction(request), (response.encode(), reply_address(request))
        self._answers[key] = cached
        self._timers.at(now + GIVE_UP_S, lambda _: self._drop_answer(key))
        self._send(*cached)

    def _drop_answer(self, key: _Key) -> None:
        self._answers.pop(key, None)

    def _respond(self, call: Call, status: int, reason: str, now: float, sdp: str = "") -> None:
        if call.server:
            response = self._described(response_to(call.server.request, status, reason, call.local_tag))
            response.headers.append(("contact", self._contact()))
            call.server.respond(self._with_sdp(response, sdp), now)

    # ------------------------------------------------------------------------------------------------ requests of ours

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

    def _drop_client(self, key: _Key) -> None:
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

    # ------------------------------------------------------------------------------------------------------ both sides

    def _confirm(self, call: Call, now: float) -> None:
        if call.state is State.ANSWERED:
            call.state = State.CONFIRMED
            if call.hang_up_at_ack:
                self._bye(call, now)

    def _end(self, call: Call, why: str, now: float) -> None:
        """The far end is done with the call."""
        told = call.state in (State.LEAVING, State.ENDED) or call.hang_up_at_ack
        if call.state is State.EARLY and call.server:
            self._respond(call, 487, "Request Terminated", now)
        if call.server and not call.server.acked and call.server.status < 300:
            call.server.ack(now)  # a BYE in place of the ACK: the answer was heard
        self._forget(call)
        if not told:
            self.events.append(Ended(call, why))

    def _lose(self, call: Call, now: float) -> None:
        """The ACK never came: say good-bye, whoever hears it (13.3.1.4)."""
        if call.state in (State.ANSWERED, State.CONFIRMED):
            told = call.hang_up_at_ack
            self._bye(call, now)
            if not told:
                self.events.append(Ended(call, "lost"))

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
        return f"SIP/2.0/UDP {self._local[0]}:{self._local[1]};branch={_COOKIE}{self._token(64)};rport"

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


def _transaction(message: Message, method: str = "") -> _Key:
    """What identifies the transaction a request belongs to (17.2.3); an ACK belongs to its INVITE's."""
    method = method or ("INVITE" if message.method == "ACK" else message.method)
    via = message.get("via").split(";")[0]
    if message.branch.startswith(_COOKIE):
        return message.branch, via, method
    return message.call_id, message.from_tag, str(message.cseq), via, method


def _origin(request: Message) -> _Key:
    """The same for every copy of an INVITE that reached us on different ways (8.2.2.2)."""
    return request.call_id, request.from_tag, str(request.cseq)
