"""One campaign while it runs: what pacing sees of the floor, what it decides, and what the console shows. Pure.

Each tick the engine's shell brings what lies outside the floor (`Outside`: hopper, trunks, stored figures), asks
`verdict`, and takes that many leads from the hopper. Agents of several campaigns are shared out among those that run
(`share`), so that one free agent never makes two campaigns dial.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from callcenter.acd.agent import Agent, AgentState
from callcenter.calls.call import Call, CallState
from dialer.limits import Limit, Verdict
from dialer.modes import CampaignState, Mode
from dialer.pacing import power, predictive, progressive
from dialer.pacing.interface import CampaignInfo, Pacer, Snapshot
from dialer.views import CallRow, CampaignView, Minute

TICK_S = 1.0
SHIFT_S = 8 * 3600.0  # the horizon over which the pacer spends the cap; the day's own figures bound it anyway
MOST_CPS = 1000.0  # calls per second are the trunks' limit, kept by `TrunkPool`
CHART_MINUTES = 30
CALLS_SHOWN = 50
AWAY = frozenset({AgentState.OFFLINE, AgentState.PAUSED})
AUTOMATIC = frozenset({Mode.PROGRESSIVE, Mode.POWER, Mode.PREDICTIVE})


@dataclass(frozen=True)
class Settings:
    """A campaign's document as the relay writes it; see `dialer.models.Campaign` for units."""

    id: int
    name: str
    mode: str
    state: str
    ratio: float
    abandon_cap: float
    patience_s: float
    ring_timeout_s: float
    wrap_up_s: float
    preview_s: float
    max_lines: int
    max_attempts: int
    caller_ids: tuple[str, ...]
    trunk_ids: tuple[int, ...]
    record: str
    language: str
    prompt_abandoned: str
    disposition_required: bool
    agents: tuple[int, ...]
    rules: dict[str, Any]
    lists: int = 0  # how many enabled lists feed it
    script_id: int | None = None

    @property
    def running(self) -> bool:
        """Whether it may dial at all."""
        return self.state == CampaignState.RUNNING.value


@dataclass(frozen=True)
class Outside:
    """What the verdict needs from outside the floor, as of this tick. `feed` is the feeder's document: left (status →
    count), next_window_at, next_retry_at, callbacks_due. `counts`: today and days30 as the recorder stored them."""

    hopper: int = 0
    free_channels: int = 0
    free_cps: int = 0
    trunk_limit: str = ""  # "", no_trunk, trunk_down, trunk_channels, trunk_cps
    trunk_name: str = ""
    expired: bool = False
    media_up: bool = True
    redis_up: bool = True
    feed: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def share(agents: Iterable[Agent], running: Sequence[int]) -> dict[int, list[Agent]]:
    """Each agent to one of his running campaigns, the one with the fewest so far: campaign id → agents. Those at work
    are dealt out first: one who is away is nobody's fair share."""
    out: dict[int, list[Agent]] = {c: [] for c in running}
    for agent in sorted(agents, key=lambda a: (a.state in AWAY, a.user_id)):
        mine = [c for c in running if c in agent.campaigns]
        if mine:
            out[min(mine, key=lambda c: (len(out[c]), c))].append(agent)
    return out


class CampaignRun:
    """The running state of one campaign."""

    def __init__(self, settings: Settings, now: float) -> None:
        self.settings = settings
        self.seq = 0
        self.last = Verdict(0, Limit.NOT_RUNNING)
        self.outside = Outside()
        self.minutes: deque[Minute] = deque(maxlen=CHART_MINUTES)
        self.waits_ms: deque[float] = deque(maxlen=500)
        self._start_pacing(now)

    def _start_pacing(self, now: float, today: Mapping[str, float] | None = None) -> None:
        s = self.settings
        self.pacer: Pacer = _pacer(s, today or {})
        self.started_at = now
        self.events: list[tuple[str, float, float]] = []
        self.placed = self.dialled = self.live = self.abandoned = 0
        self.pacer.start(
            CampaignInfo(s.abandon_cap, s.patience_s, TICK_S, s.ring_timeout_s, s.max_lines, MOST_CPS, SHIFT_S, False)
        )

    def change(self, settings: Settings, now: float) -> None:
        """New settings. A new mode or ratio, other times, or a fresh start begin pacing anew; the cap and the lines are
        changed under way, so that what was learned of the list is kept."""
        before, self.settings = self.settings, settings
        keys = ("mode", "ratio", "patience_s", "ring_timeout_s")
        if any(getattr(before, k) != getattr(settings, k) for k in keys) or (settings.running and not before.running):
            self._start_pacing(now, self.outside.counts.get("today"))
        elif isinstance(self.pacer, predictive.Pacer):
            self.pacer.set_abandon_cap(settings.abandon_cap)
            self.pacer.set_limits(settings.max_lines, MOST_CPS)

    def observe(self, kind: str, at: float, value: float) -> None:
        """Something happened on the floor (`effects.Observed`)."""
        self.events.append((kind, at - self.started_at, value))
        names = {"answer": "answered", "connect": "connected", "abandon": "abandoned"}
        if kind in names:
            minute = self._minute(at)
            key = names[kind]
            self.minutes[-1] = replace(minute, **{key: getattr(minute, key) + 1})
        if kind == "live":
            self.live += 1
        elif kind == "abandon":
            self.abandoned += 1
        elif kind == "connect":
            self.waits_ms.append(value * 1000)

    def count_placed(self, n: int, now: float) -> None:
        """`n` calls were really placed after the last verdict."""
        self.placed += n
        self.dialled += n
        if n:
            minute = self._minute(now)
            self.minutes[-1] = replace(minute, placed=minute.placed + n)

    def _minute(self, at: float) -> Minute:
        start = at - at % 60
        if not self.minutes or self.minutes[-1].at < start:
            self.minutes.append(Minute(start))
        return self.minutes[-1]

    # ------------------------------------------------------------------------------------------------------- deciding

    def verdict(self, agents: Sequence[Agent], calls: Sequence[Call], outside: Outside, now: float) -> Verdict:
        """How many calls to place now. `agents` are this campaign's share, `calls` its calls on the floor."""
        self.outside = outside
        self.last = self._verdict(agents, calls, outside, now)
        self.placed = 0
        self.events = []
        return self.last

    def _verdict(self, agents: Sequence[Agent], calls: Sequence[Call], outside: Outside, now: float) -> Verdict:
        s = self.settings
        wanted = self._wanted(agents, calls, now)
        if not s.running:
            return Verdict(0, Limit.NOT_RUNNING)
        if outside.expired:
            return Verdict(0, Limit.ACCOUNT_EXPIRED)
        if s.mode == Mode.MANUAL:
            return Verdict(0, Limit.MANUAL)
        if not outside.redis_up:
            return Verdict(0, Limit.REDIS_DOWN)
        if not outside.media_up:
            return Verdict(0, Limit.MEDIA_DOWN)
        if all(a.state in AWAY for a in agents):
            return Verdict(0, Limit.NO_AGENTS)
        free = sum(a.free for a in agents)
        params: dict[str, object] = {"free": free}
        if wanted <= 0:
            if free and self._held_by_cap():
                return Verdict(0, Limit.ABANDON_CAP, params)
            flying = sum(c.state in (CallState.PLACED, CallState.WAITING) for c in calls)
            return Verdict(0, Limit.ENOUGH_IN_FLIGHT if flying else Limit.NO_FREE_AGENTS, params | {"flying": flying})
        bounds = [
            (s.max_lines - len(calls), Limit.MAX_LINES),
            (outside.free_channels, Limit(outside.trunk_limit or Limit.TRUNK_CHANNELS)),
            (outside.free_cps, Limit.TRUNK_CPS),
            (outside.hopper, self._why_hopper_empty(outside)),
        ]
        room, limit = min(bounds, key=lambda b: b[0])
        dials = max(0, min(wanted, room))
        params |= {"n": dials, "wanted": wanted, "trunk": outside.trunk_name, "next": self._next(outside)}
        return Verdict(dials, limit if dials < wanted else Limit.DIALING, params)

    def _wanted(self, agents: Sequence[Agent], calls: Sequence[Call], now: float) -> int:
        s = self.settings
        if s.mode == Mode.PREVIEW:
            return sum(a.free for a in agents)
        if s.mode not in AUTOMATIC:
            return 0
        return self.pacer.decide(self._snapshot(agents, calls, now))

    def _held_by_cap(self) -> bool:
        reason = self.pacer.explain() if isinstance(self.pacer, predictive.Pacer) else None
        return reason is not None and reason.limit is predictive.Limit.ABANDON_CAP

    def _why_hopper_empty(self, outside: Outside) -> Limit:
        feed = outside.feed
        if not self.settings.lists:
            return Limit.NO_LIST
        if feed.get("dialable"):
            return Limit.HOPPER_EMPTY
        if feed.get("next_window_at"):
            return Limit.OUTSIDE_HOURS
        if feed.get("next_retry_at"):
            return Limit.WAITING_RETRY
        return Limit.LIST_FINISHED if feed else Limit.HOPPER_EMPTY

    def _next(self, outside: Outside) -> float | None:
        nxt = outside.feed.get("next_window_at") or outside.feed.get("next_retry_at")
        return float(nxt) if nxt else None

    def _snapshot(self, agents: Sequence[Agent], calls: Sequence[Call], now: float) -> Snapshot:
        t0 = self.started_at

        def stamps(*states: AgentState) -> list[float]:
            return sorted(a.since - t0 for a in agents if a.state in states and (a.free or a.state != "available"))

        def since(state: CallState) -> list[float]:
            return sorted(
                (c.answered_at or c.started_at) - t0
                for c in calls
                if c.state is state and c.hanging_up_since is None and c.control == "dialed"
            )

        return Snapshot(
            now=now - t0,
            ready_since=stamps(AgentState.AVAILABLE),
            talk_since=stamps(AgentState.ON_CALL, AgentState.RINGING),
            wrap_since=stamps(AgentState.WRAP_UP),
            paused_since=stamps(AgentState.PAUSED),
            ringing_since=since(CallState.PLACED),
            screening_since=[],
            waiting_since=since(CallState.WAITING),
            placed=self.placed,
            dialled=self.dialled,
            live=self.live,
            abandoned=self.abandoned,
            events=list(self.events),
        )

    # -------------------------------------------------------------------------------------------------------- showing

    def view(self, agents: Sequence[Agent], calls: Sequence[Call], now: float) -> CampaignView:
        """The console's document. `agents` are all of the campaign's."""
        self.seq += 1
        s = self.settings
        states = {st.value: 0 for st in AgentState}
        for a in agents:
            states[a.state.value] += 1
        minute = self._minute(now)
        self.minutes[-1] = replace(minute, **{k: states[k] for k in ("available", "on_call", "wrap_up", "paused")})
        by_id = {a.user_id: a for a in agents}
        waits = sorted(self.waits_ms)
        limit = self.last.limit if s.running else Limit.NOT_RUNNING
        return CampaignView(
            campaign_id=s.id,
            seq=self.seq,
            at=now,
            state=s.state,
            mode=s.mode,
            ratio=s.ratio,
            abandon_cap=s.abandon_cap,
            limit=limit.value,
            limit_params=dict(self.last.params),
            agents=states,
            ringing=sum(c.state is CallState.PLACED for c in calls),
            waiting=sum(c.state in (CallState.WAITING, CallState.IDENTIFYING) for c in calls),
            talking=sum(c.state in (CallState.TALKING, CallState.HELD) for c in calls),
            hopper=self.outside.hopper,
            today=_rated(self.outside.counts.get("today", {}), calls),
            days30=_rated(self.outside.counts.get("days30", {}), calls),
            left=dict(self.outside.feed.get("left", {})),
            minutes=tuple(self.minutes),
            calls=tuple(_row(c, by_id) for c in list(calls)[:CALLS_SHOWN]),
            agent_rows=tuple(_agent_row(a) for a in agents),
            callbacks_due=int(self.outside.feed.get("callbacks_due", 0)),
            next_window_at=self._next(self.outside),
            waits={"p50": waits[len(waits) // 2], "p90": waits[int(len(waits) * 0.9)]} if waits else {},
        )


def _pacer(s: Settings, today: Mapping[str, float]) -> Pacer:
    if s.mode == Mode.POWER:
        return power.Pacer(s.ratio)
    if s.mode == Mode.PREDICTIVE:
        abandoned = int(today.get("abandoned", 0))
        return predictive.Pacer(live_before=int(today.get("connected", 0)) + abandoned, abandoned_before=abandoned)
    return progressive.Pacer()


def _rated(stored: Mapping[str, float], calls: Sequence[Call]) -> dict[str, float]:
    """The stored figures, which know a call's outcome at its end, with the calls that are up."""
    counts = dict(stored)
    counts["answered"] = counts.get("answered", 0) + sum(c.answered_at is not None for c in calls)
    counts["connected"] = counts.get("connected", 0) + sum(c.connected_at is not None for c in calls)
    counts["abandoned"] = counts.get("abandoned", 0) + sum(c.abandoned for c in calls)
    live = counts["connected"] + counts["abandoned"]
    return {**counts, "abandoned_rate": counts["abandoned"] / live if live else 0.0}


def _row(call: Call, agents: Mapping[int, Agent]) -> CallRow:
    state = {
        CallState.PLACED: "ringing" if call.ringing_at else "dialing",
        CallState.WAITING: "waiting",
        CallState.IDENTIFYING: "waiting",
    }.get(call.state, "talking")
    agent = agents.get(call.agent_id or -1)
    name = str(call.card.get("name", ""))
    return CallRow(call.call_id, state, call.number, name, call.agent_id, agent.name if agent else "", call.state_since)


def _agent_row(agent: Agent) -> dict[str, Any]:
    return {
        "user_id": agent.user_id,
        "name": agent.name,
        "state": agent.state.value,
        "reason": agent.reason,
        "since": agent.since,
        "phone": agent.phone.state,
        "call_phone": agent.call.phone_e164 if agent.call and agent.state is AgentState.ON_CALL else "",
    }
