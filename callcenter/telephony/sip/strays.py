"""Final responses to INVITEs that no transaction waits for.

A carrier that forked the call answers a second time; an answer comes after we gave up waiting; an engine died and its
successor gets what was meant for it. Each 200 has opened a dialog that somebody must end, or the callee listens to
silence and the trunk's channel stays taken; each failure must be acknowledged, or it is repeated for half a minute.
"""

from __future__ import annotations

import logging
from typing import Any

from callcenter.telephony.sip.calls import Call
from callcenter.telephony.sip.dialog import DialogData
from callcenter.telephony.sip.line import Line, new_branch
from callcenter.telephony.sip.messages import contact_of, routes_of
from callcenter.telephony.sip.requests import Request, failure_ack_text
from callcenter.telephony.sip.udp import Address

log = logging.getLogger(__name__)


class Strays:
    """Remembers for `remember_s` what it hung up, so that a repeated 200 gets its ACK again and no second BYE."""

    def __init__(self, line: Line, remember_s: float) -> None:
        self._line = line
        self._remember_s = remember_s
        self._known: dict[tuple[str, str], tuple[str, Address]] = {}  # (Call-ID, To tag) → ACK

    def receive(self, resp: Any, source: Address, call: Call | None) -> None:
        """Acknowledge `resp`, hang up what it opened, and tell `call`, the leg of its Call-ID if we have one."""
        call_id = str(resp.getHFBody("call-id"))
        to_tag = resp.getHFBody("to").getTag() or ""
        if call is not None and call.data.remote_tag == to_tag and resp.scode < 300:
            call.acknowledge_again()
            return
        data = self._dialog_of(resp, source)
        cseq = resp.getHFBody("cseq").getCSeqNum()
        if resp.scode >= 300:
            text = failure_ack_text(data, resp.getHFBody("via").getBranch(), cseq, "")
            self._line.transactions.send_raw(text, source)
            if call is not None:
                call.on_late_failure(resp)
            return
        known = self._known.get((call_id, to_tag))
        if known is not None:
            self._line.transactions.send_raw(*known)
            return
        log.warning("an answer that nobody waits for was hung up")
        ack = Request("ACK", data, new_branch(), cseq=cseq).text()
        self._known[(call_id, to_tag)] = (ack, data.destination)
        self._line.loop.call_later(self._remember_s, self._known.pop, (call_id, to_tag), None)
        self._line.transactions.send_raw(ack, data.destination)
        self._line.send(Request("BYE", data.next_cseq(), new_branch()), lambda *_: None)
        if call is not None:
            call.on_late_answer()

    def _dialog_of(self, resp: Any, source: Address) -> DialogData:
        """The dialog that a final response of an unknown INVITE opened, as far as the response tells."""
        cseq = resp.getHFBody("cseq").getCSeqNum()
        remote = str(resp.getHFBody("to"))
        target = contact_of(resp)
        data = DialogData(
            call_id=str(resp.getHFBody("call-id")),
            local=str(resp.getHFBody("from")),
            remote=remote,
            remote_target=str(resp.getHFBody("to").getUrl()),
            destination=source,
            via=self._line.via,
            branch=new_branch(),
            contact=f"<sip:{self._line.address[0]}:{self._line.address[1]}>",
            cseq=cseq,
            routes=tuple(reversed(routes_of(resp))),
        )
        return data.towards(target or data.remote_target, None, source if target is None else None)
