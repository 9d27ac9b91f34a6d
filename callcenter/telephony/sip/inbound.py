"""A leg that somebody else began: its INVITE, our 180, 200 or refusal."""

from __future__ import annotations

from dataclasses import replace
from secrets import randbelow, token_hex
from typing import Any

from callcenter.clock import wall_s
from callcenter.telephony.ports import Dialog, InboundCall, MediaAddress, Sdp, TrunkSpec
from callcenter.telephony.sip import sdp as sdps
from callcenter.telephony.sip.answering import answering_dialog
from callcenter.telephony.sip.calls import Call
from callcenter.telephony.sip.dialog import ALLOW, DialogData, user_part
from callcenter.telephony.sip.leg import LegBook, LegState
from callcenter.telephony.sip.line import Line, new_branch
from callcenter.telephony.sip.messages import body_of, contact_of, response, routes_of
from callcenter.telephony.sip.sdp import SessionId

NO_OFFER = Sdp(MediaAddress("0.0.0.0", 9), "pcmu", None, "inactive")  # the caller lets us offer (RFC 3261, 13.2.1)


class InboundLeg(Call):
    """A call from a trunk, `offered` until `answer` or `refuse`. Raises ValueError if the INVITE lacks a Contact."""

    def __init__(
        self, line: Line, leg_id: str, trunk_id: int, spec: TrunkSpec, req: Any, transaction: Any, offer: Sdp | None
    ) -> None:
        target = contact_of(req)
        if target is None:
            raise ValueError("INVITE without Contact")
        self._req, self._transaction, self._caller_offer = req, transaction, offer
        self.to_tag = token_hex(8)
        data = DialogData(
            call_id=str(req.getHFBody("call-id")),
            local=f"{req.getHFBody('to')};tag={self.to_tag}",
            remote=str(req.getHFBody("from")),
            remote_target=target,
            destination=req.getSource(),
            via=line.via,
            branch=new_branch(),
            contact=f"<sip:{user_part(req.getRURI().username or '')}@{line.address[0]}:{line.address[1]}>",
            cseq=randbelow(1 << 20) + 1,
            routes=routes_of(req),
            remote_cseq=req.getHFBody("cseq").getCSeqNum(),
            session=SessionId(randbelow(1 << 31) + 1),
        )
        super().__init__(line, leg_id, trunk_id, spec, data)
        self.data = data.towards(target, self.proxy, None)
        self.book = LegBook(leg_id, LegState.OFFERED)
        self._refusal = (480, "Temporarily unavailable")
        self._rang = False

    @classmethod
    def trying(cls, req: Any) -> Any:
        """The 100 that stops the caller's retransmissions."""
        return response(req, 100, "Trying")

    def announce(self) -> InboundCall:
        """The event that tells the engine of it."""
        caller = self._req.getHFBody("from").getUri()
        return InboundCall(
            self.leg_id,
            wall_s(),
            self.trunk_id,
            from_number=caller.url.username or "",
            to_number=self._req.getRURI().username or "",
            sdp=self._caller_offer or NO_OFFER,
            display_name=(caller.name or "").strip('"'),
        )

    def caller_cancelled(self, *_: object) -> None:
        """The manager answered a CANCEL (and sent 487)."""
        self.run(self.book.caller_gone(wall_s()))

    def never_acknowledged(self) -> None:
        """The manager gave up waiting for the ACK of our final response."""
        self.run(self.book.not_acknowledged(wall_s()))

    def ring(self) -> None:
        """Send 180 once."""
        if self.book.state is LegState.OFFERED and not self._rang:
            self._rang = True
            resp = response(self._req, 180, "Ringing", contact=self.data.contact, to_tag=self.to_tag)
            self.line.transactions.sendResponse(resp, self._transaction)

    def prepare(self, local: Sdp) -> Dialog | None:
        """The dialog that `answer` with `local` begins, to be stored before. None if the call is gone, or if the caller
        lets us offer: only his ACK will say where he listens."""
        if self.book.state is not LegState.OFFERED or self._caller_offer is None:
            return None
        resp, local = self._final(local)
        text = resp.localStr(self._transaction.userv.getSIPaddr(), compact=False)
        confirmed = replace(self.data, local_sdp=local).to_port(self.leg_id, self.trunk_id, True)
        return answering_dialog(confirmed, text, resp.getHFBody("via").getTAddr(), self._caller_offer)

    def answer(self, local: Sdp) -> None:
        """Send 200 with `local`; the leg is up with its ACK. Nothing happens if the call is gone."""
        if not self.book.accept():
            return
        resp, local = self._final(local)
        self.data = replace(self.data, local_sdp=local)
        self.line.transactions.sendResponse(resp, self._transaction, ack_cb=self._acknowledged)

    def _final(self, local: Sdp) -> tuple[Any, Sdp]:
        """The 200, and our side of the media as it says."""
        offer, session = self._caller_offer, self.data.session
        if offer is not None:
            text = sdps.answer(local, offer, session)
            local = replace(local, codec=offer.codec)
        else:
            text = sdps.offer(local, session)
        resp = response(self._req, 200, "OK", contact=self.data.contact, allow=ALLOW, body=text, to_tag=self.to_tag)
        return resp, local

    def _acknowledged(self, ack: Any) -> None:
        sdp = self._caller_offer
        if sdp is None:
            try:
                sdp = sdps.parse(body_of(ack))
            except sdps.UnusableSdp:
                sdp = None
        dialog = self.data.to_port(self.leg_id, self.trunk_id, True)
        self.run(self.book.acknowledged(wall_s(), sdp, dialog))

    def refuse(self, status: int, reason: str) -> None:
        """Send a final failure. Nothing happens if the call is gone."""
        self._refusal = (status, reason)
        self.run(self.book.refuse(wall_s(), status, reason))

    def refuse_on_wire(self) -> None:
        resp = response(self._req, *self._refusal, to_tag=self.to_tag)
        self.line.transactions.sendResponse(resp, self._transaction)
