"""One leg on the wire: carries out what `leg.LegBook` decides, with Sippy's transactions.

A `Call` owns the leg's dialog, its INVITE transaction and its timers. `adapter.SippyPort` makes calls and hands them
their requests; `inbound.py` adds what only a call from outside needs.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from callcenter.clock import wall_s
from callcenter.log import mask_numbers
from callcenter.telephony.ports import Cause, LegTrying, Sdp, TrunkSpec
from callcenter.telephony.sip import sdp as sdps
from callcenter.telephony.sip.causes import q850_of
from callcenter.telephony.sip.dialog import DialogData, branch_of_try
from callcenter.telephony.sip.digest import authorization
from callcenter.telephony.sip.leg import Act, Effects, LegBook, LegState, Tell
from callcenter.telephony.sip.line import Line, new_branch
from callcenter.telephony.sip.messages import contact_of, response, routes_of, sdp_of
from callcenter.telephony.sip.midcall import MidCall
from callcenter.telephony.sip.requests import LocalTimeout, Request
from callcenter.telephony.sip.udp import Address

MAX_TRIES = 3  # INVITE, with digest, with digest of a nonce that had expired


class Call:
    """One leg. Outbound by `originate`, inbound by `inbound.InboundLeg`, taken up by `adopt`."""

    def __init__(self, line: Line, leg_id: str, trunk_id: int, spec: TrunkSpec | None, data: DialogData) -> None:
        self.line = line
        self.leg_id, self.trunk_id, self.spec, self.data = leg_id, trunk_id, spec, data
        self.book = LegBook(leg_id)
        self._invite: Any = None  # transaction of the INVITE under way, ours
        self._invite_cseq = data.cseq
        self._extra: tuple[str, ...] = ()
        self._offer = ""
        self._timer: asyncio.TimerHandle | None = None
        self.midcall = MidCall(self)

    # ---------------------------------------------------------------------------------------------------- going out

    def originate(self, local: Sdp, ring_timeout_s: float, identity: tuple[str, ...]) -> None:
        """Send the INVITE. `identity` are the header lines about the caller."""
        self.data = replace(self.data, local_sdp=local)
        self._offer = sdps.offer(local, self.data.session)
        self._extra = identity
        self._send_invite(())
        self.line.tell(LegTrying(self.leg_id, wall_s(), self.data.to_port(self.leg_id, self.trunk_id, False)))
        self._timer = self.line.loop.call_later(ring_timeout_s, self._ring_timeout)

    def _send_invite(self, credentials: tuple[str, ...]) -> None:
        request = Request(
            "INVITE",
            self.data,
            branch_of_try(self.data.branch, self.data.tries),
            extra=(*self._extra, *credentials),
            body=self._offer,
        )
        self._invite_cseq = self.data.cseq
        self._invite = self.line.send(request, self._on_invite_response)

    def _ring_timeout(self) -> None:
        self.run(self.book.ring_timeout(wall_s()))

    def fail(self, cause: Cause, reason: str) -> None:
        """End a leg whose INVITE was never sent."""
        self.run(self.book.never_sent(wall_s(), cause, reason))

    def hangup(self) -> None:
        """CANCEL or BYE, or nothing on the wire if the INVITE is still waiting for the look-up of a name."""
        if self.book.state is LegState.CALLING and not self._offer:
            self.fail(Cause.CANCELLED, "")
        else:
            self.run(self.book.hangup(wall_s()))

    # ---------------------------------------------------------------------------------------- answers to our INVITE

    def _on_invite_response(self, resp: Any, transaction: Any) -> None:
        code = resp.scode
        at = wall_s()
        if code >= 200:
            self._invite = None  # nothing is left to cancel
        if code < 200:
            self.run(self.book.progress(at, code, sdp_of(resp) if code > 100 else None))
        elif code < 300:
            self._learn(resp)
            transaction.uack = True  # the manager hands the ACK to us: `data` knows the route
            transaction.own_ack = Request("ACK", self.data, new_branch(), cseq=self._invite_cseq)
            port_dialog = self.data.to_port(self.leg_id, self.trunk_id, True)
            self.run(self.book.answered(at, sdp_of(resp), port_dialog))
        elif code in (401, 407) and not isinstance(resp, LocalTimeout) and self._try_with_digest(resp):
            return
        else:
            silent = isinstance(resp, LocalTimeout)
            q850 = None if silent else q850_of(" ".join(str(body) for body in resp.getHFBodys("reason")))
            self.run(self.book.failed(at, code, resp.reason, q850, silent))

    def _try_with_digest(self, resp: Any) -> bool:
        """Send the INVITE again with credentials, after the ACK of this response. False if there are none."""
        if self.spec is None or self.book.state is not LegState.CALLING or self.data.tries >= MAX_TRIES:
            return False
        found = authorization(resp, self.spec, "INVITE", self.data.remote_target, self._offer, self.data.tries > 1)
        if found is None:
            return False
        self.data = replace(self.data, cseq=self.data.cseq + 1, tries=self.data.tries + 1)

        def again() -> None:
            if self.book.state is LegState.CALLING:
                self._send_invite((found,))
            elif self.book.state is LegState.CANCELLING:
                self.give_up()

        self.line.loop.call_soon(again)
        return True

    def _learn(self, resp: Any) -> None:
        """Take remote tag, target and routes from a 2xx (RFC 3261, section 12.1.2)."""
        remote = str(resp.getHFBody("to"))
        routes = tuple(reversed(routes_of(resp)))
        target = contact_of(resp)
        self.data = replace(self.data, remote=remote, routes=routes).towards(
            target or self.data.remote_target, self.proxy, self.data.destination if target is None else None
        )

    @property
    def proxy(self) -> Address | None:
        """The trunk's outbound proxy."""
        return self.spec.outbound_proxy if self.spec is not None else None

    def acknowledge_again(self) -> None:
        """The 200 of this leg came once more in another wording: its ACK was lost."""
        ack = Request("ACK", self.data, new_branch(), cseq=self._invite_cseq)
        self.line.transactions.send_raw(ack.text(), self.data.destination)

    # -------------------------------------------------------------------------------------------------- effects out

    def run(self, effects: Effects) -> None:
        """Carry out what the book decided, in order."""
        for effect in effects:
            if isinstance(effect, Tell):
                self.line.tell(effect.event)
            elif effect is Act.CANCEL:
                self._cancel()
            elif effect is Act.BYE:
                self.line.loop.call_soon(self._bye)  # an ACK that is due now goes first
            elif effect is Act.REFUSE:
                self.refuse_on_wire()
        if self.book.state is LegState.CONFIRMED:
            self._stop_timer()
        elif self.book.ended:
            self._stop_timer()
            self.line.ended(self)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cancel(self) -> None:
        self._stop_timer()
        if self._invite is not None:
            self.line.transactions.cancelTransaction(self._invite)
        self._timer = self.line.loop.call_later(self.line.cancel_grace_s, self.give_up)

    def refuse_on_wire(self) -> None:
        """Send the final failure of an inbound leg; an outbound leg has none."""

    def _bye(self, credentials: tuple[str, ...] = ()) -> None:
        self.data = self.data.next_cseq()

        def on_response(resp: Any, _: Any) -> None:
            if resp.scode in (401, 407) and not isinstance(resp, LocalTimeout) and not credentials and self.spec:
                found = authorization(resp, self.spec, "BYE", self.data.remote_target, "", False)
                if found is not None:
                    self._bye((found,))

        self.line.send(Request("BYE", self.data, new_branch(), extra=credentials), on_response)

    # ----------------------------------------------------------------------------------------------- inside a dialog

    def on_request(self, req: Any, transaction: Any) -> Any:
        """A request inside this dialog. Returns what the transaction manager wants of its callback."""
        number = req.getHFBody("cseq").getCSeqNum()
        if number <= self.data.remote_cseq:
            return response(req, 500, "CSeq is out of order"), None, None
        self.data = replace(self.data, remote_cseq=number)
        if req.getMethod() == "BYE":
            reason = " ".join(str(body) for body in req.getHFBodys("reason"))
            self.run(self.book.bye_received(wall_s(), mask_numbers(reason)))
            return response(req, 200, "OK"), None, None
        if self.book.state is not LegState.CONFIRMED:
            return response(req, 481, "Call does not exist"), None, None
        return self.midcall.on_request(req, transaction)

    # ------------------------------------------------------------------------------------------------------ take-over

    def adopt(self, confirmed: bool) -> None:
        """Go on with a leg of a process that died; `data` is what it left."""
        invite = self.data
        self.data = invite.for_successor()
        effects = self.book.adopt(confirmed)
        self.run(effects)
        if confirmed:
            return
        tries = 2 if self.spec is not None and self.spec.username else 1
        for number in range(1, max(tries, invite.tries) + 1):
            branch = branch_of_try(invite.branch, number)
            cancel = Request("CANCEL", invite, branch, cseq=invite.cseq - invite.tries + number)
            self.line.send(cancel, lambda resp, _: None)

    def on_late_failure(self, resp: Any) -> None:
        """The final failure of an INVITE whose transaction died with the former process."""
        self.run(self.book.failed(wall_s(), resp.scode, resp.reason))

    def give_up(self) -> None:
        """Wait no longer for the final response to a CANCEL."""
        self.run(self.book.grace_over(wall_s()))

    def on_late_answer(self) -> None:
        """A 200 for such an INVITE; it has been acknowledged and hung up already."""
        self.give_up()
