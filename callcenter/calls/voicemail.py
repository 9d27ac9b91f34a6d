"""What a caller hears who is asked to leave a message. Pure.

A message of less than `SHORTEST_S` is none: the call stays a missed one. A caller who hangs up while he speaks has left
his message all the same (the floor asks again when the recording is closed).
"""

from __future__ import annotations

from collections.abc import Sequence

from callcenter.calls import control as c
from callcenter.calls.call import Call
from callcenter.calls.facts import VoicemailLeft

VOICEMAIL = "voicemail"
SHORTEST_S = 1.0
LONGEST_S = 180.0
SILENCE_S = 5.0

_GREETING = {
    "en": "say:en:Nobody can take your call just now. Please leave a message after the tone, and press the hash key.",
    "zh": "say:zh:现在无人接听您的来电，请在提示音后留言，留言结束后按井号键。",
}


class VoicemailControl:
    """`call.run` holds whose box it is: `user_id`, or `queue_id`, or neither (the enterprise's); `greeting` if the box
    has its own."""

    name = VOICEMAIL

    def decide(self, turn: c.Turn, call: Call, now: float) -> Sequence[c.Answer]:
        """See `CallControl`."""
        match turn:
            case c.HandedOver(data=data):
                call.run = {k: data[k] for k in ("user_id", "queue_id", "greeting") if data.get(k) is not None}
                return [c.Play("greeting", (self._greeting(call),))]
            case c.Played(name="greeting"):
                return [c.Play("beep", ("tone:beep",))]
            case c.Played(name="beep"):
                return [c.RecordVoice("message", LONGEST_S, SILENCE_S)]
            case c.VoiceRecorded(recording_id=recording_id, seconds=seconds):
                if seconds < SHORTEST_S:
                    return [c.HangUp()]
                left = VoicemailLeft(
                    call.call_id, recording_id, call.number, call.did, call.customer_id, call.run.get("user_id"),
                    call.run.get("queue_id"), round(seconds, 1), now,
                )  # fmt: skip
                return [c.Tell(left), c.Play("thanks", ("thanks",))]
            case c.Played(name="thanks"):
                return [c.HangUp()]
            case c.Resumed() if not call.voice:
                return [c.Play("greeting", (self._greeting(call),))]
        return []

    @staticmethod
    def _greeting(call: Call) -> str:
        return str(call.run.get("greeting") or _GREETING.get(call.language[:2], _GREETING["en"]))
