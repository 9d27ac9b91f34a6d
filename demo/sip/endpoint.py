"""The user agent: datagrams and commands in, datagrams and events out.

The shell owns the socket and the clock. It feeds `receive` and `run_timers`, sends what `outbox` holds, and acts on
`events`; both lists are its to empty. Every method takes `now`, seconds of one monotonic clock; `next_timer` says when
`run_timers` is wanted next. A call lives from `Invited` (or `invite`) to exactly one `Ended` or `Failed`; after the
shell's own `reject` or `hang_up` no event follows for it.
"""

from __future__ import annotations

import random

from demo.sip.call import Acked, Call, Ended, Invited, Reoffered, State
from demo.sip.caller import ALLOW, COOKIE, Caller, Key
from demo.sip.message import Address, BadMessage, Message, parse, reply_address, response_to, uri_of, user_of
from demo.sip.registrar import Registrar
from demo.sip.transactions import GIVE_UP_S, ServerInvite


class Endpoint(Caller):
    """One UDP address `local` (host, port) with all its calls."""

    def __init__(self, local: Address, registrar: Registrar, rng: random.Random) -> None:
        super().__init__(local, rng)
        self._registrar = registrar
        self._invites: dict[Key, tuple[ServerInvite, Call]] = {}
        self._merged: set[Key] = set()
        self._refused: dict[Key, ServerInvite] = {}
        self._answers: dict[Key, tuple[bytes, Address]] = {}

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

    def _take_reinvite(self, request: Message, key: Key, now: float) -> None:
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

    def _serve(self, request: Message, key: Key, call: Call) -> ServerInvite:
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

    def _drop_invite(self, key: Key) -> None:
        invite, _ = self._invites.pop(key)
        self._merged.discard(_origin(invite.request))

    def _refuse(self, request: Message, key: Key, status: int, reason: str, now: float, *more: tuple[str, str]) -> None:
        """Refuse an INVITE that makes no call."""
        response = response_to(request, status, reason, self._token(48))
        response.headers.extend(more)
        invite = ServerInvite(
            request, self._send, self._timers, on_lost=lambda _: None, on_end=lambda: self._drop_refused(key)
        )
        self._refused[key] = invite
        invite.respond(response, now)

    def _drop_refused(self, key: Key) -> None:
        self._refused.pop(key, None)

    def _answer(self, request: Message, response: Message, now: float) -> None:
        """Send a response that repeats itself for as long as the request may be repeated."""
        key, cached = _transaction(request), (response.encode(), reply_address(request))
        self._answers[key] = cached
        self._timers.at(now + GIVE_UP_S, lambda _: self._drop_answer(key))
        self._send(*cached)

    def _drop_answer(self, key: Key) -> None:
        self._answers.pop(key, None)

    def _respond(self, call: Call, status: int, reason: str, now: float, sdp: str = "") -> None:
        if call.server:
            response = self._described(response_to(call.server.request, status, reason, call.local_tag))
            response.headers.append(("contact", self._contact()))
            call.server.respond(self._with_sdp(response, sdp), now)

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


def _transaction(message: Message, method: str = "") -> Key:
    """What identifies the transaction a request belongs to (17.2.3); an ACK belongs to its INVITE's."""
    method = method or ("INVITE" if message.method == "ACK" else message.method)
    via = message.get("via").split(";")[0]
    if message.branch.startswith(COOKIE):
        return message.branch, via, method
    return message.call_id, message.from_tag, str(message.cseq), via, method


def _origin(request: Message) -> Key:
    """The same for every copy of an INVITE that reached us on different ways (8.2.2.2)."""
    return request.call_id, request.from_tag, str(request.cseq)
