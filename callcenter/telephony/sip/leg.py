"""The book-keeping of one leg: what happened in, what to tell and what to do out. Pure.

The theory. A leg that calls out is *calling* until a final response; then it is *confirmed* or *ended*. When we give
up early it is *cancelling*: the CANCEL is out, but the far end may have answered at that very moment, so the leg ends
only with the final response (or after a grace), with the cause that made us give up. An answer that comes in any other
state belongs to nobody and is hung up. An inbound leg is *offered* until we answer or either side gives up, and
*accepted* between our 200 and its ACK.

`ended` accepts everything and says nothing, so there is exactly one LegEnded. The shell (`calls.py`) feeds in what the
wire, the timers and the engine say, and carries out the effects in order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from callcenter.telephony.ports import (
    Cause,
    Dialog,
    LegAnswered,
    LegEarlyMedia,
    LegEnded,
    LegRinging,
    LegUpdated,
    Sdp,
    SipEvent,
)
from callcenter.telephony.sip.causes import cause_of


class LegState(StrEnum):
    CALLING = "calling"
    CANCELLING = "cancelling"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    ENDED = "ended"


class Act(StrEnum):
    """What the shell has to do on the wire."""

    CANCEL = "cancel"  # and call `grace_over` some seconds later
    BYE = "bye"  # end the leg's dialog
    REFUSE = "refuse"  # send the final failure of an inbound leg


@dataclass(frozen=True)
class Tell:
    """Give `event` to the engine."""

    event: SipEvent


Effect = Act | Tell
Effects = list[Effect]


@dataclass(frozen=True)
class _Ending:
    cause: Cause
    status: int
    reason: str


class LegBook:
    """State of one leg. Every method takes `at` (seconds since the epoch) and returns the effects in order."""

    def __init__(self, leg_id: str, state: LegState = LegState.CALLING) -> None:
        self.leg_id = leg_id
        self.state = state
        self.heard = False  # any response at all came
        self.rang = False
        self._ending = _Ending(Cause.CANCELLED, 0, "")
        self._last_progress: tuple[int, Sdp | None] | None = None
        self._remote: Sdp | None = None

    @property
    def ended(self) -> bool:
        return self.state is LegState.ENDED

    # ------------------------------------------------------------------------------------------- what the wire says

    def progress(self, at: float, status: int, sdp: Sdp | None) -> Effects:
        """A provisional response (100 to 199)."""
        self.heard = True
        if self.state is not LegState.CALLING or status == 100:
            return []
        self.rang = True
        if self._last_progress == (status, sdp):
            return []
        self._last_progress = (status, sdp)
        if sdp is not None:
            return [Tell(LegEarlyMedia(self.leg_id, at, sdp, status))]
        return [Tell(LegRinging(self.leg_id, at, status))]

    def answered(self, at: float, sdp: Sdp | None, dialog: Dialog) -> Effects:
        """The first 2xx of the INVITE; `sdp` is None if it holds nothing usable."""
        self.heard = True
        if self.state is LegState.CALLING:
            if sdp is None:
                return [
                    Act.BYE,
                    *self._end(at, Cause.MEDIA_LOST, 200, "no usable session description in the answer", True),
                ]
            self.state = LegState.CONFIRMED
            self._remote = sdp
            return [Tell(LegAnswered(self.leg_id, at, sdp, dialog))]
        if self.state is LegState.CANCELLING:
            return [Act.BYE, *self._finish_cancelling(at)]
        return [Act.BYE] if self.ended else []

    def failed(self, at: float, status: int, reason: str, q850: int | None = None, silent: bool = False) -> Effects:
        """A final failure of the INVITE (300 to 699). `silent`: no response came at all (timer B)."""
        if self.state is LegState.CANCELLING:
            return self._finish_cancelling(at)
        if self.state is not LegState.CALLING:
            return []
        if silent and not self.heard:
            return self._end(at, Cause.UNREACHABLE, 0, "no response", False)
        return self._end(at, cause_of(status, rang=self.rang, q850=q850), status, reason, False)

    def bye_received(self, at: float, reason: str = "") -> Effects:
        """A BYE of the far end, already answered."""
        if self.state in (LegState.CONFIRMED, LegState.ACCEPTED, LegState.CALLING):
            return self._end(at, Cause.NORMAL, 0, reason, False)
        return self._finish_cancelling(at) if self.state is LegState.CANCELLING else []

    def renegotiated(self, at: float, sdp: Sdp) -> Effects:
        """A re-INVITE or UPDATE, already answered; told if it changed anything."""
        if self.state is not LegState.CONFIRMED or sdp == self._remote:
            return []
        self._remote = sdp
        return [Tell(LegUpdated(self.leg_id, at, sdp))]

    def moved(self, at: float, sdp: Sdp) -> Effects:
        """The answer to our re-INVITE: told if address or codec changed (its direction only mirrors ours)."""
        if self.state is not LegState.CONFIRMED or self._remote is None:
            self._remote = self._remote or sdp
            return []
        same = replace(sdp, direction=self._remote.direction)
        return self.renegotiated(at, same)

    def dialog_gone(self, at: float, status: int) -> Effects:
        """The far end no longer knows the dialog (481 or 408 to one of our requests in it)."""
        if self.state is not LegState.CONFIRMED:
            return []
        return [Act.BYE, *self._end(at, Cause.UNREACHABLE, status, "the far end lost the dialog", False)]

    def caller_gone(self, at: float) -> Effects:
        """An inbound caller cancelled before the answer."""
        if self.state is not LegState.OFFERED:
            return []
        return self._end(at, Cause.CANCELLED, 487, "the caller hung up", False)

    def acknowledged(self, at: float, sdp: Sdp | None, dialog: Dialog) -> Effects:
        """The ACK of our 200 to an inbound call. `sdp` is the far end's, from its INVITE or this ACK."""
        if self.state is not LegState.ACCEPTED:
            return []
        if sdp is None:
            return [Act.BYE, *self._end(at, Cause.MEDIA_LOST, 200, "no usable session description in the ACK", True)]
        self.state = LegState.CONFIRMED
        self._remote = sdp
        return [Tell(LegAnswered(self.leg_id, at, sdp, dialog))]

    def not_acknowledged(self, at: float) -> Effects:
        """No ACK came for our 200."""
        if self.state is not LegState.ACCEPTED:
            return []
        return [Act.BYE, *self._end(at, Cause.UNREACHABLE, 0, "no ACK for the answer", False)]

    # ------------------------------------------------------------------------------- what timers and the engine say

    def ring_timeout(self, at: float) -> Effects:
        """Nobody answered in time."""
        if self.state is not LegState.CALLING:
            return []
        cause, words = Cause.NO_ANSWER, "ring time-out"
        if not self.heard:
            cause, words = Cause.UNREACHABLE, "no response until the ring time-out"
        return self._cancel(cause, words)

    def hangup(self, at: float, cause: Cause = Cause.CANCELLED, reason: str = "") -> Effects:
        """The engine wants the leg gone; `cause` is told if it was not yet answered."""
        if self.state is LegState.CALLING:
            return self._cancel(cause, reason)
        if self.state is LegState.OFFERED:
            return [Act.REFUSE, *self._end(at, cause, 480, reason, True)]
        if self.state in (LegState.CONFIRMED, LegState.ACCEPTED):
            return [Act.BYE, *self._end(at, Cause.NORMAL, 0, reason, True)]
        return []

    def refuse(self, at: float, status: int, reason: str) -> Effects:
        """The engine refuses an inbound leg."""
        if self.state is not LegState.OFFERED:
            return []
        return [Act.REFUSE, *self._end(at, cause_of(status, rang=False), status, reason, True)]

    def accept(self) -> bool:
        """The engine answers an inbound leg; whether the 200 may be sent."""
        if self.state is not LegState.OFFERED:
            return False
        self.state = LegState.ACCEPTED
        return True

    def grace_over(self, at: float) -> Effects:
        """No final response to a cancelled INVITE: it counts as ended. A late 200 is hung up all the same."""
        return self._finish_cancelling(at) if self.state is LegState.CANCELLING else []

    def never_sent(self, at: float, cause: Cause, reason: str) -> Effects:
        """The INVITE could not even be sent."""
        return self._end(at, cause, 0, reason, True) if self.state is LegState.CALLING else []

    def adopt(self, confirmed: bool) -> Effects:
        """Begin in the middle: the leg of an engine that died. An early one is cancelled."""
        if confirmed:
            self.state = LegState.CONFIRMED
            return []
        self.heard = True
        return self._cancel(Cause.ENGINE_LOST, "the engine that called died before the answer")

    # --------------------------------------------------------------------------------------------------------- ends

    def _cancel(self, cause: Cause, reason: str) -> Effects:
        self.state = LegState.CANCELLING
        self._ending = _Ending(cause, 0, reason)
        return [Act.CANCEL]

    def _finish_cancelling(self, at: float) -> Effects:
        ending = self._ending
        return self._end(at, ending.cause, ending.status, ending.reason, True)

    def _end(self, at: float, cause: Cause, status: int, reason: str, by_us: bool) -> Effects:
        self.state = LegState.ENDED
        return [Tell(LegEnded(self.leg_id, at, cause, status, reason, by_us))]
