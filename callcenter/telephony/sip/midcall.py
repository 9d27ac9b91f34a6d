"""What happens inside a call that is up: hold by us, changes of media by the far end, questions, small talk."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from callcenter.clock import wall_s
from callcenter.telephony.ports import LegAsked, Sdp
from callcenter.telephony.sip import sdp as sdps
from callcenter.telephony.sip.dialog import ALLOW
from callcenter.telephony.sip.digest import authorization
from callcenter.telephony.sip.leg import LegState
from callcenter.telephony.sip.line import new_branch
from callcenter.telephony.sip.messages import body_of, contact_of, response, sdp_of
from callcenter.telephony.sip.requests import LocalTimeout, Request

if TYPE_CHECKING:
    from callcenter.telephony.sip.calls import Call

log = logging.getLogger(__name__)

GLARE_WAIT_S = 2.5  # RFC 3261, section 14.1: 2.1 to 4 s for the owner of the Call-ID
MAX_ATTEMPTS = 4
ASK_S = 10.0  # OPTIONS is repeated four times within this (0.5, 1, 2, 4 s)
GONE = frozenset({408, 481})  # the far end, or the last hop before it, knows of no such call (RFC 5057)


class MidCall:
    """The renegotiations of `call`, one at a time, either side's."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._reinvite: Any = None  # transaction of ours under way
        self._answering = False  # a re-INVITE of the far end waits for its ACK
        self._asking = 0  # number of the question that waits for its answer
        self._asked = 0

    def send_hold(self, local: Sdp, credentials: tuple[str, ...] = (), attempt: int = 1) -> None:
        """Re-INVITE with `local`. Nothing happens on a leg that is not up."""
        if self.call.book.state is not LegState.CONFIRMED:
            return
        if self._reinvite is not None or self._answering:
            self.call.line.loop.call_later(GLARE_WAIT_S, self.send_hold, local, (), attempt)
            return
        session = self.call.data.session.next()
        self.call.data = replace(self.call.data.next_cseq(), session=session, local_sdp=local)
        offer = sdps.offer(local, session)
        cseq = self.call.data.cseq

        def on_response(resp: Any, transaction: Any) -> None:
            if resp.scode < 200:
                return
            self._reinvite = None
            if resp.scode < 300:
                transaction.uack = True
                transaction.own_ack = Request("ACK", self.call.data, new_branch(), cseq=cseq)
                found = sdp_of(resp)
                if found is not None:
                    self._media_of_answer(found)
            elif resp.scode in (408, 481):
                self.call.run(self.call.book.dialog_gone(wall_s(), resp.scode))
            elif resp.scode == 491 and attempt < MAX_ATTEMPTS:
                self.call.line.loop.call_later(GLARE_WAIT_S, self.send_hold, local, (), attempt + 1)
            elif resp.scode in (401, 407) and not credentials and self.call.spec is not None:
                again = authorization(resp, self.call.spec, "INVITE", self.call.data.remote_target, offer, False)
                if again is not None:
                    self.call.line.loop.call_soon(self.send_hold, local, (again,), attempt)
            else:
                log.warning("leg %s: hold was refused with %s %s", self.call.leg_id, resp.scode, resp.reason)

        self._reinvite = self.call.line.send(
            Request("INVITE", self.call.data, new_branch(), extra=credentials, body=offer), on_response
        )

    def ask(self) -> None:
        """OPTIONS in the dialog: whoever answers it, with whatever, is there. One question at a time."""
        if self.call.book.state is not LegState.CONFIRMED or self._asking:
            return
        self._asked += 1
        number = self._asking = self._asked
        self.call.data = self.call.data.next_cseq()

        def over(alive: bool) -> None:
            if self._asking != number:
                return
            self._asking = 0
            if self.call.book.state is LegState.CONFIRMED:
                self.call.line.tell(LegAsked(self.call.leg_id, wall_s(), alive))

        def on_response(resp: Any, _: Any) -> None:
            if resp.scode >= 200:
                over(not isinstance(resp, LocalTimeout) and resp.scode not in GONE)

        self.call.line.send(Request("OPTIONS", self.call.data, new_branch()), on_response)
        self.call.line.loop.call_later(ASK_S, over, False)

    def _media_of_answer(self, found: Sdp) -> None:
        """The far end answered our re-INVITE: told only if its media moved, its direction merely mirrors ours."""
        self.call.run(self.call.book.moved(wall_s(), found))

    def on_request(self, req: Any, transaction: Any) -> Any:
        """A request inside the call, BYE excepted. Returns what the transaction manager wants of its callback."""
        method = req.getMethod()
        if method in ("INVITE", "UPDATE"):
            return self._renegotiate(req, transaction)
        if method in ("OPTIONS", "INFO"):
            return response(req, 200, "OK", allow=ALLOW), None, None
        if method == "REFER":
            return response(req, 603, "Decline"), None, None
        return response(req, 405, "Method not allowed", allow=ALLOW), None, None

    def _renegotiate(self, req: Any, transaction: Any) -> Any:
        """Answer a re-INVITE or UPDATE: media unchanged on our side, as the far end wishes on its own."""
        if self._reinvite is not None:
            return response(req, 491, "Request pending"), None, None
        if self._answering:
            return response(req, 500, "Another change is under way"), None, None
        local = self.call.data.local_sdp
        text = body_of(req)
        remote: Sdp | None = None
        if text:
            try:
                remote = sdps.parse(text)
            except sdps.UnusableSdp as error:
                return response(req, 488, str(error)), None, None
        if local is None:
            return response(req, 488, "No media to renegotiate"), None, None
        target = contact_of(req)
        if target is not None:
            self.call.data = self.call.data.towards(target, self.call.proxy, None)
        session = self.call.data.session.next()
        self.call.data = replace(self.call.data, session=session)
        is_invite = req.getMethod() == "INVITE"
        if remote is not None:
            answer = sdps.answer(local, remote, session)
            self.call.data = replace(self.call.data, local_sdp=replace(local, codec=remote.codec))
            self.call.run(self.call.book.renegotiated(wall_s(), remote))
        else:
            answer = sdps.offer(local, session) if is_invite else ""
        resp = response(req, 200, "OK", contact=self.call.data.contact, allow=ALLOW, body=answer)
        if not is_invite:
            return resp, None, None
        self._answering = True

        def acknowledged(ack: Any = None) -> None:
            self._answering = False
            if remote is None and ack is not None:
                found = sdp_of(ack)
                if found is not None:
                    self.call.run(self.call.book.renegotiated(wall_s(), found))

        self.call.line.transactions.sendResponse(resp, transaction, ack_cb=acknowledged)
        return None, None, acknowledged
