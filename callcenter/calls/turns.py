"""A call's turns: its controller is asked, and its answers become effects; where a call goes next is carried out here.

A layer of the floor (`kept.py` ← `turns.py` ← `floor.py`). What a controller has begun ends with its control: its
timers, what it plays, what it records. A recording that is closed only after its caller has hung up is told to the
controller all the same (`late`), so that a message spoken to the last second is a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callcenter.acd.settings import QueueSettings
from callcenter.calls import control as ctl
from callcenter.calls import effects as fx
from callcenter.calls.call import CALL, Call, CallInput, CallState
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.calls.facts import RecordingClosed, RecordingStarted, VoicemailLeft
from callcenter.calls.kept import Kept
from callcenter.calls.voicemail import VOICEMAIL
from callcenter.ids import new_id
from callcenter.telephony import ports as p

IVR = "ivr"
MENU_S = 1800.0  # the longest stay in menus
VOICEMAIL_S = 420.0  # greeting, message and thanks
MOST_DIVERTED = 12  # menus and queues that send a caller round in circles
HEARING = frozenset({CallState.MENU, CallState.WAITING, CallState.VOICEMAIL})
IDENTIFY_S = 25.0  # the longest identification message


class Turns(Kept):
    """Controllers and their answers. `greetings`: the own prompt of a user's box."""

    def __init__(
        self, tenant: int, controls: ctl.Controls, queue_settings: dict[int, QueueSettings] | None = None, seed: int = 1
    ) -> None:
        super().__init__(tenant, queue_settings, seed)
        self._controls = controls
        self.greetings: dict[int, str] = {}
        self._voices: dict[str, Call] = {}  # recordings of callers alone that are not closed

    # ---------------------------------------------------------------------------------------------------- where it goes

    def divert(self, call: Call, to: Destination, now: float, data: Mapping[str, Any] | None = None) -> None:
        """See `Book.divert`. A call that can't go there is hung up."""
        if call.state is CallState.ENDED or call.hanging_up_since is not None:
            return
        self._withdraw(call, "transferred", now)
        self._end_control(call)
        call.diverted += 1
        wanted = {
            DestinationKind.MENU: CallInput.MENU,
            DestinationKind.VOICEMAIL: CallInput.VOICEMAIL,
        }.get(to.kind, CallInput.QUEUE)
        leads_nowhere = to.kind in (DestinationKind.HANG_UP, DestinationKind.REFUSE)
        if leads_nowhere or call.diverted > MOST_DIVERTED or not CALL.accepts(call.state, wanted):
            self.hang_up(call, "system", now)
            return
        match to.kind:
            case DestinationKind.QUEUE:
                self._wait_in_queue(call, to.id or 0, now, data or {})
            case DestinationKind.AGENT:
                self._wait_for_agent(call, to.id or 0, now)
            case DestinationKind.NUMBER:
                self.ring_number(call, to.number, now)
            case DestinationKind.MENU:
                self._hand_over(call, CallInput.MENU, IVR, {"flow_id": to.id, **(data or {})}, MENU_S, now)
            case _:
                self._hand_over(call, CallInput.VOICEMAIL, VOICEMAIL, self._box(call, to.id), VOICEMAIL_S, now)

    def _box(self, call: Call, user_id: int | None) -> dict[str, Any]:
        """Whose box it is: a user's, else that of the queue the call was in last, else the enterprise's; with its own
        greeting if it has one."""
        if user_id is not None:
            box, greeting = {"user_id": user_id}, self.greetings.get(user_id, "")
        else:
            box = {"queue_id": call.queue_id} if call.queue_id is not None else {}
            settings = self.queue_settings.get(call.queue_id or -1)
            greeting = settings.voicemail_greeting if settings is not None else ""
        return {**box, "greeting": greeting} if greeting else dict(box)

    def _hand_over(
        self, call: Call, event: CallInput, control: str, data: Mapping[str, Any], stay_s: float, now: float
    ) -> None:
        call.step(event, now)
        call.control, call.run = control, {}
        self._timer(call, "stay", now + stay_s)
        self._ask(call, ctl.HandedOver(data), now)
        self._changed(call)

    def _end_control(self, call: Call) -> None:
        """What its controller has begun is over."""
        self.timers.cancel_all("call", call.call_id, "ctl:")
        self.timers.cancel(("call", call.call_id, "stay"))
        self._stop_voice(call)
        if call.play:
            call.play = ""
            self._do(fx.StopPlay(call.port))

    # --------------------------------------------------------------------------------------------- asking and answering

    def _ask(self, call: Call, turn: ctl.Turn, now: float) -> None:
        control = self._controls.find(call.control)
        if control is None:
            return
        for answer in control.decide(turn, call, now):
            if call.state is CallState.ENDED or call.control != control.name:
                return  # it is another's by now
            self._carry_out(call, answer, now)

    def _carry_out(self, call: Call, answer: ctl.Answer, now: float) -> None:
        match answer:
            case ctl.FindAgent():
                agent = self.team.pick(call.campaign_id)
                if agent is None:
                    self._ask(call, ctl.NobodyFree(), now)
                else:
                    self._connect(call, agent, now)
            case ctl.Attach() if call.agent_id is not None:
                self._patch(call)
            case ctl.Ringback() if call.agent_id is not None:
                port = fx.agent_port(self.tenant, call.agent_id)
                self._do(fx.Play(port, f"ringback-{call.call_id}", "tone:ringback", loop=True))
            case ctl.Bridge() if call.agent_id is not None:
                self._do(fx.StopPlay(fx.agent_port(self.tenant, call.agent_id)))
                self._talk(call, self.team.agent(call.agent_id), now)
            case ctl.Timer(name=name, after_s=after_s):
                self._timer(call, f"ctl:{name}", now + after_s)
            case ctl.CancelTimer(name=name):
                self.timers.cancel(("call", call.call_id, f"ctl:{name}"))
            case ctl.Identify():
                self._identify(call, now)
            case ctl.HangUp():
                self.hang_up(call, "system", now)
            case ctl.Play(name=name, prompts=prompts, loop=loop):
                call.plays += 1
                call.play = name
                self._do(fx.PlayPrompts(call.port, f"ctl-{call.plays}-{name}", prompts, call.language, loop))
                self._changed(call)  # a successor must know what was being heard
            case ctl.StopPlay():
                self._do(fx.StopPlay(call.port))
            case ctl.Http():
                self._do(fx.AskHttp(call.call_id, answer))
            case ctl.RecordVoice():
                self._record_voice(call, answer, now)
            case ctl.KeepPlace(number=number):
                self._keep_place(call, number, now)
            case ctl.HandOver(to=to, data=data):
                self.divert(call, to, now, data)
            case ctl.SetLanguage() | ctl.Show() | ctl.Tell():
                self._note(call, answer)

    def _note(self, call: Call, answer: ctl.Answer) -> None:
        """Answers that are only kept or told."""
        match answer:
            case ctl.SetLanguage(language=language):
                call.language = language
            case ctl.Show(values=values):
                call.shown = {**call.shown, **values}
            case ctl.Tell(fact=fact):
                if isinstance(fact, VoicemailLeft):
                    call.result = "voicemail"
                self._fact(call, fact)

    def _identify(self, call: Call, now: float) -> None:
        if call.state is not CallState.WAITING:
            return
        call.step(CallInput.NO_AGENT, now)
        call.abandoned = True
        self._observe(call, "abandon", now, now - (call.answered_at or now))
        if call.prompt:
            self._do(fx.Play(fx.call_port(call.call_id), f"identify-{call.call_id}", call.prompt))
            self._timer(call, "identify", now + IDENTIFY_S)
        else:
            self.hang_up(call, "system", now)
        self._changed(call)

    # --------------------------------------------------------------------------------------------- what the caller does

    def _caller_media(self, event: p.MediaEvent, now: float) -> None:
        """A play that ended, or a key that was pressed, at a port of a call that is in a menu, waits or leaves a
        message."""
        match event:
            case p.PlayEnded(port_id=port_id, play_id=play_id, complete=complete) if play_id.startswith("ctl-"):
                call = self._at_port(port_id)
                number, _, name = play_id.removeprefix("ctl-").partition("-")
                if call is not None and call.play == name and number == str(call.plays):
                    call.play = ""
                    self._ask(call, ctl.Played(name, complete), now)
                    self._changed(call)
            case p.DtmfReceived(port_id=port_id, digit=digit):
                call = self._at_port(port_id)
                if call is not None:
                    self.key(call, digit, now)

    def key(self, call: Call, digit: str, now: float) -> None:
        """The caller pressed a key; one of the stop keys ends a recording of his voice."""
        if call.voice:
            if digit in str(call.voice.get("stop_keys", "")):
                self._do(fx.StopRecord(str(call.voice["recording_id"])))
            return
        self._ask(call, ctl.Key(digit), now)
        self._changed(call)

    def _at_port(self, port_id: str) -> Call | None:
        """The call whose caller is at this port and hears us."""
        call = self.calls.get(port_id.removeprefix("call-"))
        if call is None:
            call = next((c for c in self.calls.values() if c.port_id == port_id), None)
        if call is None or call.state not in HEARING or call.hanging_up_since is not None:
            return None
        return call

    def http_done(self, call_id: str, done: ctl.HttpDone, now: float) -> None:
        """The answer to `control.Http`."""
        call = self.calls.get(call_id)
        if call is not None and call.state in HEARING and call.hanging_up_since is None:
            self._ask(call, done, now)
            self._changed(call)

    # -------------------------------------------------------------------------------------------------- his voice alone

    def _record_voice(self, call: Call, wanted: ctl.RecordVoice, now: float) -> None:
        self._stop_voice(call)
        rid = new_id(now)
        call.voice = {"name": wanted.name, "recording_id": rid, "stop_keys": wanted.stop_keys}
        self.recordings[rid] = call.call_id
        self._voices[rid] = call
        self._fact(call, RecordingStarted(rid, call.call_id, f"live/{self.tenant}/{rid}.wav", now))
        self._do(fx.RecordVoicePort(rid, call.call_id, call.port, wanted.silence_s))
        self._timer(call, "voice", now + wanted.max_s)
        self._changed(call)

    def _stop_voice(self, call: Call) -> None:
        if call.voice:
            self._do(fx.StopRecord(str(call.voice["recording_id"])))
            call.voice = {}
        self.timers.cancel(("call", call.call_id, "voice"))

    def _recording_ended(self, event: p.RecordingEnded, now: float) -> None:
        call_id = self.recordings.pop(event.recording_id, None)
        if call_id is not None:
            closed = RecordingClosed(event.recording_id, call_id, round(event.seconds, 3), event.size_bytes)
            self._do(fx.Fact(closed, call_id))
        call = self._voices.pop(event.recording_id, None)
        if call is None:
            return
        if call.state is not CallState.ENDED and call.voice.get("recording_id") == event.recording_id:
            name, call.voice = str(call.voice["name"]), {}
            self.timers.cancel(("call", call.call_id, "voice"))
            self._ask(call, ctl.VoiceRecorded(name, event.recording_id, event.seconds), now)
            self._changed(call)
        elif call.hanging_up_since is not None or call.state is CallState.ENDED:
            self._late(call, ctl.VoiceRecorded("", event.recording_id, event.seconds), now)

    def _late(self, call: Call, turn: ctl.Turn, now: float) -> None:
        """The caller is gone already: only what is to be told counts."""
        control = self._controls.find(call.control)
        for answer in control.decide(turn, call, now) if control is not None else ():
            if isinstance(answer, ctl.Tell):
                self._note(call, answer)

    def _end(self, call: Call, cause: p.Cause, status: int, now: float, *, by_us: bool = False) -> None:
        if call.state is not CallState.ENDED:
            self._late(call, ctl.Gone(), now)
        super()._end(call, cause, status, now, by_us=by_us)

    def _withdraw(self, call: Call, how: str, now: float) -> None:
        super()._withdraw(call, how, now)
        if how in ("ended", "abandoned"):
            self._stop_voice(call)

    def _turn_timer(self, call: Call, name: str, now: float) -> bool:
        """A timer of a controller's or of a recording; False if it is neither."""
        if name.startswith("ctl:"):
            if call.hanging_up_since is None:  # else nothing is decided about it any more
                self._ask(call, ctl.TimerFired(name.removeprefix("ctl:")), now)
                self._changed(call)
        elif name == "voice":
            if call.voice:
                self._do(fx.StopRecord(str(call.voice["recording_id"])))
        else:
            return False
        return True
