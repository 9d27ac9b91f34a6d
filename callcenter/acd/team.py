"""The agents of one enterprise: their states, their phones, and who gets the next call.

Pure: events and `now` in, effects out (into `out`). What happens to calls is the floor's; it asks here for an agent and
tells here when a call ends. An agent is never left without a way out: every state that waits for a person's hand has
either that person's buttons or a timer, and a person who is gone (no browser and no audio) is signed off after a grace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from callcenter.acd.agent import Agent, AgentInput, AgentState
from callcenter.acd.roster import Roster, view
from callcenter.acd.views import CallView, OwnCaller, PhoneView
from callcenter.calls import effects as fx
from callcenter.calls.facts import CallWrappedUp
from callcenter.errors import Conflict
from callcenter.fsm import IllegalEvent

GRACE_S = 20.0  # a lost browser or phone may come back within this
HEARTBEAT_S = 25.0  # the web process says every 10 s that the browser is there
SUPERVISING = "supervising"  # the reason of a supervisor's pause while he listens
OVERRUN_S = 900.0  # a wrap-up without an outcome ends in a pause after this


class Team(Roster):
    """What happens to the agents of enterprise `tenant`."""

    # ---------------------------------------------------------------------------------------------- people's hands

    def know(
        self,
        user_id: int,
        name: str,
        campaigns: tuple[int, ...],
        now: float,
        *,
        queues: tuple[int, ...] = (),
        skills: Mapping[str, int] | None = None,
    ) -> None:
        """A user's settings as they are now."""
        # A newcomer's `seq` begins above that of whoever was known by this id before.
        agent = self.agents.setdefault(user_id, Agent(user_id, name, since=now, seq=int(now)))
        told = (name, campaigns, queues, dict(skills or {}))
        if (agent.name, agent.campaigns, agent.queues, agent.skills) != told:
            agent.name, agent.campaigns, agent.queues, agent.skills = told
            self._changed(agent)

    def forget(self, user_id: int, now: float) -> None:
        """A user who was disabled or deleted: a call ends, then he is gone."""
        agent = self.agents.get(user_id)
        if agent is None:
            return
        agent.wish = "offline"
        if agent.state in (AgentState.ON_CALL, AgentState.WRAP_UP):
            self.on_lost(agent, now)
        self._leave(agent, now)
        del self.agents[user_id]
        agent.seq += 1
        self._out.append(fx.AgentGone(user_id, view(agent)))

    def set_state(self, user_id: int, state: str, reason: str, now: float, *, forced: bool = False) -> None:
        """The wish of the agent or a supervisor; during a call it is kept for afterwards. `forced`: even if an outcome
        is owed. Raises Conflict."""
        agent = self.agent(user_id)
        if state not in ("available", "paused", "offline"):
            raise Conflict(f"{state!r} is no state to choose; choose available, paused or offline", code="bad_state")
        if agent.state is AgentState.ON_CALL:
            agent.wish, agent.wish_reason = state, reason
            self._changed(agent)
            return
        if agent.state is AgentState.RINGING and state == "available":
            return  # so he is; the lead or call in front of him stays
        if agent.state is AgentState.WRAP_UP and agent.must_dispose and not (forced or state == "offline"):
            raise Conflict("Choose an outcome for the last call first.", code="disposition_required")
        if state == "available" and agent.phone.state not in ("connected", "connecting"):
            raise Conflict("Your phone is not connected. Allow the microphone and connect it.", code="phone_off")
        agent.wish = agent.wish_reason = ""  # what was wished for after a call gives way to the wish of now
        self._enter(agent, state, reason, now)

    def pause_after(self, user_id: int, on: bool, reason: str, now: float) -> None:
        """Pause after the present call; at once if there is none."""
        agent = self.agent(user_id)
        if on and agent.state is AgentState.AVAILABLE:
            self._enter(agent, "paused", reason, now)
            return
        agent.wish, agent.wish_reason = ("paused", reason) if on else ("", "")
        self._changed(agent)

    def disposed(self, agent: Agent, next_state: str, now: float) -> None:
        """The outcome is set. In wrap-up this ends it; during the call it is remembered."""
        agent.must_dispose = False
        if agent.call is not None:
            agent.call = replace(agent.call, dispositioned=True)
        in_call = agent.state in (AgentState.ON_CALL, AgentState.WRAP_UP)
        if in_call and not agent.wish and next_state == "paused":
            agent.wish = "paused"
        if agent.state is AgentState.WRAP_UP:
            self._after_wrap_up(agent, now)
        elif agent.state is AgentState.AVAILABLE and next_state == "paused":
            self._enter(agent, "paused", "", now)
        else:
            self._changed(agent)

    # ------------------------------------------------------------------------------------------------------ calls

    def offer(self, agent: Agent, view: CallView, entry: dict[str, object], now: float) -> None:
        """Show a lead before it is dialed; without an answer it is dialed by itself at `view.preview_until`."""
        agent.preview = entry
        agent.call = view
        self._step(agent, AgentInput.OFFER, now)
        if view.preview_until is not None:
            self._timers.set(("preview", str(agent.user_id)), view.preview_until)

    def decline(self, agent: Agent, now: float) -> None:
        """The offered lead is not dialed."""
        self._timers.cancel(("preview", str(agent.user_id)))
        agent.preview, agent.call = {}, None
        self._step(agent, AgentInput.RELEASE, now)
        self._wish_or_free(agent, now)

    def ring(self, agent: Agent, view: CallView, now: float) -> None:
        """A call rings at a free agent (`view.state` "offered"). One in wrap-up is rung only by the call that he wraps
        up, when it comes back to him. Raises IllegalEvent if he can't be rung."""
        wrapping = agent.call if agent.state is AgentState.WRAP_UP else None
        agent.step(AgentInput.OFFER, now)
        agent.wrapping, agent.call = wrapping, view
        self._timers.cancel(("wrap", str(agent.user_id)))
        self._state_fact(agent, now)

    def stop_ringing(self, agent: Agent, pause: str, now: float) -> None:
        """The call rings at the agent no longer: he is paused for the reason `pause`, or ("") available again, or goes
        on with the wrap-up that stood still."""
        if agent.wrapping is not None:
            agent.call, agent.wrapping = agent.wrapping, None
            self._step(agent, AgentInput.HANG_UP, now)
            until = max(now, agent.wrap_up_until or now)
            self._timers.set(("wrap", str(agent.user_id)), until + (OVERRUN_S if agent.must_dispose else 0.0))
            return
        agent.call = None
        if pause:
            agent.wish = agent.wish_reason = ""
            self._step(agent, AgentInput.PAUSE, now, pause)
            self._observe(agent, "pause", now)
            return
        self._step(agent, AgentInput.RELEASE, now)
        self._wish_or_free(agent, now)

    def watch(self, agent: Agent, doc: dict[str, Any], now: float) -> None:
        """The agent supervises another (`doc` as `AgentView.supervising`) and gets no calls meanwhile."""
        if not agent.supervising:
            doc = {**doc, "after": [agent.state.value, agent.reason]}
        agent.supervising = {**agent.supervising, **doc}
        if (agent.state, agent.reason) == (AgentState.PAUSED, SUPERVISING):
            self._changed(agent)
            return
        self._step(agent, AgentInput.PAUSE, now, SUPERVISING)
        self._observe(agent, "pause", now)

    def unwatch(self, agent: Agent, now: float) -> None:
        """He supervises no longer: back to where he was."""
        state, reason = agent.supervising.get("after") or ("paused", "")
        agent.supervising = {}
        if (agent.state, agent.reason) == (AgentState.PAUSED, SUPERVISING):
            self._enter(agent, state, reason, now)
        else:
            self._changed(agent)

    def take(self, agent: Agent, view: CallView, now: float) -> None:
        """The agent is on this call from now on. Raises IllegalEvent if he can't be."""
        ringing = agent.state is AgentState.RINGING  # only an available agent is offered a lead or a call
        other = agent.call is None or agent.call.call_id != view.call_id
        offered = agent.call is not None and agent.call.state == "offered"
        if other and ((ringing and offered) or agent.state is AgentState.WRAP_UP):
            raise IllegalEvent("agent", agent.state, AgentInput.TAKE)  # another call rings at him, or he wraps it up
        agent.after, agent.after_reason = ("available", "") if ringing else (agent.state.value, agent.reason)
        self._timers.cancel(("preview", str(agent.user_id)))
        agent.step(AgentInput.TAKE, now)
        self._unwatch(agent, now)
        self._timers.cancel(("wrap", str(agent.user_id)))
        agent.wrapping, agent.wrap_up_until = None, None
        agent.preview = {}
        agent.call = view
        agent.must_dispose = False
        self._state_fact(agent, now)

    def show_call(self, agent: Agent, view: CallView) -> None:
        """The agent's call has changed."""
        agent.call = view
        self._changed(agent)

    def show_callers(self, agent: Agent, callers: tuple[OwnCaller, ...]) -> None:
        """Who waits for the agent in person has changed; he goes on with what he does."""
        agent.callers = callers
        self._changed(agent)

    def call_over(self, agent: Agent, view: CallView, talked: bool, now: float, wrap_up_s: float | None = None) -> None:
        """The agent's call has ended: wrap-up if it was a conversation, else back to where he came from. `wrap_up_s`
        None: as the rules of the view's queue or campaign say."""
        dispositioned = agent.call.dispositioned if agent.call else False
        agent.call = replace(view, dispositioned=dispositioned)
        if not talked:
            self._step(agent, AgentInput.RELEASE, now)
            if agent.after == "paused" and not agent.wish:
                agent.wish, agent.wish_reason = "paused", agent.after_reason
            self._wish_or_free(agent, now)
            return
        rules = self.rules_for(view)
        wrap_up_s = rules.wrap_up_s if wrap_up_s is None else wrap_up_s
        agent.must_dispose = rules.disposition_required and not dispositioned
        self.on_handled(view.queue_id, now - agent.since, True, now)
        for campaign in agent.campaigns:
            self._out.append(fx.Observed(campaign, "talk_end", now, now - agent.since))
        self._step(agent, AgentInput.HANG_UP, now)
        if dispositioned:
            self._after_wrap_up(agent, now)
        elif agent.must_dispose:
            agent.wrap_up_until = now + wrap_up_s
            self._timers.set(("wrap", str(agent.user_id)), now + max(OVERRUN_S, wrap_up_s))
        else:
            agent.wrap_up_until = now + wrap_up_s
            self._timers.set(("wrap", str(agent.user_id)), agent.wrap_up_until)

    # ------------------------------------------------------------------------------------------- browser and phone

    def presence(self, user_id: int, online: bool, now: float) -> None:
        """The web process says whether the agent's browser is there."""
        agent = self.agents.get(user_id)
        if agent is None:
            return
        agent.online = online
        agent.online_until = now + HEARTBEAT_S if online else now
        self._timers.set(("presence", str(user_id)), now + (HEARTBEAT_S if online else GRACE_S))

    def phone(self, user_id: int, state: str, now: float, **stats: float | None) -> None:
        """The audio leg's state, or new figures about it."""
        agent = self.agents.get(user_id)
        if agent is None:
            return
        before = agent.phone.state
        if state != before:
            agent.phone = PhoneView(state=state, since=now)
            key = ("phone", str(user_id))
            if state == "connected":
                self._timers.cancel(key)
            elif not self._timers.has(*key):  # a phone that never gets connected is as dead as a lost one
                self._timers.set(key, now + GRACE_S)
        if stats:
            agent.phone = PhoneView(state=agent.phone.state, since=agent.phone.since, **stats)
        self._changed(agent)
        if state == "connected" and before != "connected" and agent.free:
            self.on_free(agent, now)

    def timer(self, name: str, user_id: int, now: float) -> None:
        """One of this team's timers fired."""
        agent = self.agents.get(user_id)
        if agent is None:
            return
        if name == "wrap" and agent.state is AgentState.WRAP_UP:
            if agent.must_dispose:
                agent.wish, agent.wish_reason = "paused", "no_outcome"
            self._after_wrap_up(agent, now)
        elif name == "preview" and agent.state is AgentState.RINGING:
            self._out.append(fx.DialPreview(user_id))
        elif name == "phone" and agent.phone.state != "connected":
            self._phone_gone(agent, now)
        elif name == "presence":
            if agent.online and agent.online_until <= now:
                agent.online = False  # the web process itself has gone silent: the grace begins
                self._timers.set(("presence", str(user_id)), now + GRACE_S)
            elif not agent.online and agent.phone.state != "connected" and agent.state is not AgentState.OFFLINE:
                self._phone_gone(agent, now)

    def _phone_gone(self, agent: Agent, now: float) -> None:
        if agent.supervising:
            self._enter(agent, "paused", "phone_lost", now)
        if agent.state is AgentState.ON_CALL:
            self.on_lost(agent, now)
        if not agent.online:
            self._leave(agent, now)
        elif agent.state in (AgentState.AVAILABLE, AgentState.RINGING):
            self._enter(agent, "paused", "phone_lost", now)

    def restored(self, user_id: int) -> None:
        """An agent was put back as a dead engine had saved it: show it anew."""
        self._changed(self.agents[user_id])

    # ---------------------------------------------------------------------------------------------------- inside

    def _after_wrap_up(self, agent: Agent, now: float) -> None:
        state, reason = agent.wish or "available", agent.wish_reason
        agent.wish = agent.wish_reason = ""
        self._enter(agent, state, reason, now)

    def _end_wrap_up(self, agent: Agent, now: float) -> None:
        """Whichever way an agent leaves the wrap-up, its call is told so."""
        if agent.state is not AgentState.WRAP_UP:
            return
        self._timers.cancel(("wrap", str(agent.user_id)))
        for campaign in agent.campaigns:
            self._out.append(fx.Observed(campaign, "wrap_end", now, now - agent.since))
        if agent.call is not None:
            self.on_handled(agent.call.queue_id, now - agent.since, False, now)
            fact = CallWrappedUp(agent.call.call_id, agent.user_id, now, agent.must_dispose)
            self._out.append(fx.Fact(fact, agent.call.call_id))
        agent.wrap_up_until, agent.must_dispose = None, False

    def _wish_or_free(self, agent: Agent, now: float) -> None:
        state, reason = agent.wish, agent.wish_reason
        agent.wish = agent.wish_reason = ""
        if state and state != "available":
            self._enter(agent, state, reason, now)
        elif agent.free:
            self.on_free(agent, now)

    def _enter(self, agent: Agent, state: str, reason: str, now: float) -> None:
        self._unwatch(agent, now)
        if state == "offline":
            self._leave(agent, now)
            return
        was = agent.state
        if state == "available" and was is not AgentState.AVAILABLE and self._phone_is_dead(agent):
            state, reason = "paused", "phone_lost"
        self._end_wrap_up(agent, now)
        if agent.state is AgentState.RINGING:
            self._drop_offer(agent, now)
        if state == "paused":
            self._step(agent, AgentInput.PAUSE, now, reason)
            self._observe(agent, "pause", now)
            return
        if was is AgentState.AVAILABLE:
            return
        agent.call = None
        self._step(agent, AgentInput.READY, now)
        self._observe(agent, {AgentState.OFFLINE: "login", AgentState.PAUSED: "unpause"}.get(was, ""), now)
        if agent.free:
            self.on_free(agent, now)

    def _leave(self, agent: Agent, now: float) -> None:
        self._unwatch(agent, now)
        if agent.state is AgentState.RINGING:
            self._drop_offer(agent, now)
        if agent.state is AgentState.ON_CALL:
            agent.wish = "offline"
            return
        self._end_wrap_up(agent, now)
        for name in ("wrap", "preview", "phone"):
            self._timers.cancel((name, str(agent.user_id)))
        agent.call, agent.wrap_up_until, agent.must_dispose = None, None, False
        agent.wish = agent.wish_reason = ""
        was = agent.state
        agent.phone = PhoneView(state="off", since=now)
        self._out.append(fx.ClosePhone(agent.user_id))
        self._step(agent, AgentInput.LEAVE, now)
        if was is not AgentState.OFFLINE:
            self._observe(agent, "logout", now)

    def _unwatch(self, agent: Agent, now: float) -> None:
        if agent.supervising:
            self.on_unwatch(agent, now)
            agent.supervising = {}

    def _drop_offer(self, agent: Agent, now: float) -> None:
        """What waits for the agent's hand goes back: a lead to its list, a call to the next agent."""
        if agent.preview:  # else it is being dialed already
            self._out.append(fx.ReturnLead(agent.preview, "not_taken"))
        self._timers.cancel(("preview", str(agent.user_id)))
        call, agent.preview, agent.call = agent.call, {}, None
        if agent.wrapping is not None:
            fact = CallWrappedUp(agent.wrapping.call_id, agent.user_id, now, agent.must_dispose)
            self._out.append(fx.Fact(fact, agent.wrapping.call_id))
            agent.wrapping, agent.wrap_up_until, agent.must_dispose = None, None, False
        if call is not None and call.state == "offered":
            self.on_offer_lost(agent, call.call_id, now)

    def _phone_is_dead(self, agent: Agent) -> bool:
        """Whether no call can reach the agent and no grace is running in which that may change."""
        return agent.phone.state in ("off", "interrupted") and not self._timers.has("phone", str(agent.user_id))
