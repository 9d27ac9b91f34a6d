"""A call from outside whose 200 was on its way when the engine died: its successor goes on answering.

The answer as a text is part of the dialog that was stored before it was sent. Whether the caller got it nobody knows,
so it is sent (again) as RFC 3261, section 13.3.1.4, has it, until the ACK comes: one who had it already acknowledges
each copy anew.
"""

from __future__ import annotations

import json
from dataclasses import replace

from callcenter.clock import wall_s
from callcenter.telephony.ports import Dialog, MediaAddress, Sdp, TrunkSpec
from callcenter.telephony.sip.calls import Call
from callcenter.telephony.sip.dialog import DialogData
from callcenter.telephony.sip.leg import LegBook, LegState
from callcenter.telephony.sip.line import Line
from callcenter.telephony.sip.udp import Address

ANSWERING = "answering"  # a `ports.Dialog.state`
T1_S, T2_S = 0.5, 4.0
GIVE_UP_S = 64 * T1_S


def answering_dialog(confirmed: Dialog, text: str, to: Address, offer: Sdp) -> Dialog:
    """The dialog `confirmed` as it is before its ACK: with the `text` of its 200, and whither that goes."""
    far = [offer.address.ip, offer.address.port, offer.codec, offer.dtmf_pt, offer.direction]
    more = {"answer": text, "answer_host": to[0], "answer_port": str(to[1]), "offer": json.dumps(far)}
    return replace(confirmed, state=ANSWERING, headers={**confirmed.headers, **more})


class AnsweringLeg(Call):
    """Takes up such a `dialog`. Raises KeyError or ValueError if it can't be read."""

    def __init__(self, line: Line, dialog: Dialog, spec: TrunkSpec | None) -> None:
        super().__init__(line, dialog.leg_id, dialog.trunk_id, spec, DialogData.from_port(dialog).for_successor())
        self.book = LegBook(dialog.leg_id, LegState.ACCEPTED)
        self._text = dialog.headers["answer"]
        self._to = dialog.headers["answer_host"], int(dialog.headers["answer_port"])
        ip, port, codec, dtmf_pt, direction = json.loads(dialog.headers["offer"])
        self._far = Sdp(MediaAddress(ip, port), codec, dtmf_pt, direction)

    def answer_again(self, wait_s: float = T1_S, left_s: float = GIVE_UP_S) -> None:
        """Send the 200 until it is acknowledged; after `left_s` without an ACK the leg ends."""
        if self.book.state is not LegState.ACCEPTED:
            return
        if left_s <= 0:
            self.run(self.book.not_acknowledged(wall_s()))
            return
        self.line.transactions.send_raw(self._text, self._to)
        self._timer = self.line.loop.call_later(wait_s, self.answer_again, min(2 * wait_s, T2_S), left_s - wait_s)

    def acknowledged(self) -> None:
        """The ACK came: the call is up."""
        dialog = self.data.to_port(self.leg_id, self.trunk_id, True)
        self.run(self.book.acknowledged(wall_s(), self._far, dialog))
