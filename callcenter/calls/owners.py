"""Who waits for one person: told to him quietly while he is busy with another.

A layer of the floor (`trying.py` ← `owners.py` ← `floor.py`). A waiting call is somebody's own if it is for him in
person, if the queue keeps it for who spoke with the caller last, or if the caller is his own customer. Nothing is
decided here: his state and his present call stay what they are.
"""

from __future__ import annotations

from callcenter.acd.views import OwnCaller
from callcenter.calls.call import Call, CallState
from callcenter.calls.trying import Trying
from callcenter.telephony import ports as p


class Owners(Trying):
    """Keeps `Agent.callers` as the calls stand."""

    def _changed(self, call: Call) -> None:
        super()._changed(call)
        self._tell_owner(call)

    def _end(self, call: Call, cause: p.Cause, status: int, now: float, *, by_us: bool = False) -> None:
        super()._end(call, cause, status, now, by_us=by_us)
        self._tell_owner(call)

    def tell_owners(self) -> None:
        """All anew: after a restart."""
        for agent in self.team.agents.values():
            kept = tuple(own for own in agent.callers if own.call_id in self.calls)
            if kept != agent.callers:
                self.team.show_callers(agent, kept)
        for call in self.calls.values():
            self._tell_owner(call)

    def _tell_owner(self, call: Call) -> None:
        whose = self._owner(call)
        for user_id in {whose, call.told_owner} - {None}:
            agent = self.team.agents.get(user_id or 0)
            if agent is None:
                continue
            others = tuple(own for own in agent.callers if own.call_id != call.call_id)
            if user_id == whose:
                own = OwnCaller(call.call_id, str(call.card.get("name") or ""), call.number, call.queued_at or 0.0)
                found = tuple(sorted((*others, own), key=lambda o: (o.since, o.call_id)))
            else:
                found = others
            if found != agent.callers:
                self.team.show_callers(agent, found)
        call.told_owner = whose

    def _owner(self, call: Call) -> int | None:
        """For whom the call waits; nobody once it rings at him."""
        if call.state is not CallState.WAITING or call.queued_at is None or call.hanging_up_since is not None:
            return None
        in_queue = self.queues.queue_of(call.call_id) is not None
        whose = call.for_agent
        if whose is None and in_queue:
            whose = call.sticky_agent if call.sticky_agent is not None else call.card.get("owner_id")
        return int(whose) if whose is not None and whose != call.offered_to else None
