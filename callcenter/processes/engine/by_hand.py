"""What agents ask for with their own hands: a previewed lead dialed or skipped, a number clicked."""

from __future__ import annotations

import logging
from typing import Any

from redis.exceptions import RedisError

from callcenter import ids, wire
from callcenter.acd.agent import AgentState
from callcenter.acd.views import CallView
from callcenter.calls.call import Call
from callcenter.calls.commands import Dial
from callcenter.clock import wall_s
from callcenter.compliance.judge import Callee, Refused, Rule, judge
from callcenter.errors import Conflict, Unavailable
from callcenter.processes.engine.phone_dialing import PhoneDialing
from callcenter.processes.engine.placing import RING_TIMEOUT_BY_HAND_S, Placing, rules_of
from callcenter.processes.engine.shell import Engine, Tenant
from dialer import hopper
from dialer.campaign import CampaignRun
from dialer.control import BY_HAND
from dialer.modes import Mode

log = logging.getLogger(__name__)
PREVIEW_AGAIN_S = 600.0


class ByHand(Placing):
    """Previews and click to call."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        engine.dial_preview = self._dial_preview
        engine.dial_ticket = self._dial_ticket
        PhoneDialing(self)
        self._seize_script = engine.fence.script(hopper.SEIZE)

    async def _preview(self, tenant: Tenant, run: CampaignRun, entry: dict[str, Any], now: float) -> None:
        agent = tenant.floor.team.pick(run.settings.id)
        if agent is None:
            await self._put_back(tenant, entry)
            return
        view = CallView(
            call_id=ids.new_id(now), state="preview", direction="out", mode=Mode.PREVIEW.value,
            phone_e164=entry["phone"], since=now, started_at=now, campaign_id=run.settings.id,
            campaign_name=run.settings.name, lead_id=entry["lead_id"], customer_id=entry.get("customer_id"),
            card={**(entry.get("card") or {}), "script_id": run.settings.script_id},
            preview_until=now + run.settings.preview_s if run.settings.preview_s else None,
        )  # fmt: skip
        tenant.floor.team.offer(agent, view, entry, now)
        self.engine.apply(tenant)

    def _dial_preview(self, tenant: Tenant, user_id: int) -> None:
        self.engine.spawn(self.answer_preview(tenant, user_id, True), "preview")

    def _dial_ticket(self, tenant: Tenant, ticket_id: str, user_id: int) -> None:
        self.engine.spawn(self._call_back(tenant, ticket_id, user_id), "calling back")

    async def _call_back(self, tenant: Tenant, ticket_id: str, user_id: int) -> None:
        """Call a caller back who kept his place, with the agent on the line from the start. He asked for it, so that
        the calling windows of campaigns do not count; but he may have keyed anybody's number: none that is blacklisted
        is dialed."""
        ticket = tenant.floor.tickets.get(ticket_id)
        allowed = ticket is not None and not tenant.expired
        if ticket is not None and allowed:
            try:
                key = hopper.blacklist_key(tenant.id)
                if await self.engine.redis.sismember(key, ticket.number):
                    tenant.floor.refuse_ticket(ticket_id, wall_s())
            except (RedisError, OSError):
                allowed = False
        try:
            self._place_ticket(tenant, ticket_id, user_id, allowed)
        except Exception:  # the agent was kept for this call: he must get others again
            log.exception("a caller was not called back")
            tenant.floor.ticket_not_dialed(ticket_id, user_id, wall_s())
        self.engine.apply(tenant)

    def _place_ticket(self, tenant: Tenant, ticket_id: str, user_id: int, allowed: bool) -> None:
        now = wall_s()
        ticket, agent = tenant.floor.tickets.get(ticket_id), tenant.floor.team.agents.get(user_id)
        if ticket is None or agent is None or not agent.free or not allowed:
            tenant.floor.ticket_not_dialed(ticket_id, user_id, now)
            return
        choice = self.engine.choose_trunk(tenant, ticket.number, None)
        if choice is None:
            tenant.floor.ticket_not_dialed(ticket_id, user_id, now)
            return
        settings = tenant.floor.queue_settings.get(ticket.queue_id)
        rule = settings.record if settings is not None else "never"
        call = Call(
            call_id=ids.new_id(now), control=BY_HAND, mode="queue_callback", number=ticket.number,
            caller_id=ticket.did or choice.caller_id, trunk_id=choice.trunk_id, dialed=choice.dialed, started_at=now,
            ring_timeout_s=RING_TIMEOUT_BY_HAND_S, customer_id=ticket.customer_id, agent_id=user_id,
            record=rule == "always", on_demand=rule == "on_demand", card=ticket.card, caller=ticket.caller,
            language=ticket.language, path=list(ticket.path), shown=dict(ticket.shown), queue_id=ticket.queue_id,
            did=ticket.did, ticket_id=ticket_id,
        )  # fmt: skip
        tenant.floor.ticket_dialed(call, now)
        tenant.floor.place(call, now)

    async def answer_preview(self, tenant: Tenant, user_id: int, dial: bool) -> None:
        """The agent dials or skips the lead that he was shown. Raises Conflict if there is none."""
        agent = tenant.floor.team.agent(user_id)
        entry = dict(agent.preview)
        if not entry:
            raise Conflict("There is no lead to dial any more.", code="no_preview")
        now = wall_s()
        if not dial:
            self.engine.return_lead(tenant, entry, "skipped", PREVIEW_AGAIN_S)
            tenant.floor.team.decline(agent, now)
            self.engine.apply(tenant)
            return
        run = tenant.campaigns.get(int(str(entry["campaign_id"])))
        refused = await self._refused_now(tenant, run, entry, now)
        if agent.preview != entry:
            raise Conflict("There is no lead to dial any more.", code="no_preview")
        if refused is not None:
            self._refuse(tenant, entry, refused, now)
            tenant.floor.team.decline(agent, now)
            self.engine.apply(tenant)
            raise _refusal(refused)
        choice = self.engine.choose_trunk(tenant, str(entry["phone"]), int(str(entry["campaign_id"])))
        if choice is None:
            self.engine.return_lead(tenant, entry, "no_trunk", 60.0)
            tenant.floor.team.decline(agent, now)
            self.engine.apply(tenant)
            raise Unavailable("No line is free to dial with. The lead comes back later.", code="no_trunk")
        agent.preview = {}  # ours from here on: neither skipped nor dialed twice
        if not await self._place(tenant, self._call(tenant, run, entry, choice, BY_HAND, user_id, now), entry):
            if agent.state is AgentState.RINGING and not agent.preview:
                tenant.floor.team.decline(agent, wall_s())
                self.engine.apply(tenant)
            raise _not_placed()

    async def _refused_now(
        self, tenant: Tenant, run: CampaignRun | None, entry: dict[str, Any], now: float
    ) -> Refused | None:
        """A previewed lead may have been looked at for long: what was allowed when it was shown is asked again."""
        if tenant.expired:
            return Refused(Rule.ACCOUNT_EXPIRED, "the account of the enterprise has expired", now + 3600)
        tries = hopper.tries_key(tenant.id, entry["phone"])
        async with self.engine.redis.pipeline(transaction=False) as pipe:
            pipe.sismember(hopper.blacklist_key(tenant.id), entry["phone"])
            pipe.zrangebyscore(tries, now - 86_400, "+inf", withscores=True)
            pipe.zcard(tries)
            blacklisted, recent, tries_30d = await pipe.execute()
        rules = rules_of(run.settings.rules if run is not None else self._default_rules(tenant))
        oldest = float(recent[0][1]) if recent else None
        zone = entry.get("time_zone") or tenant.time_zone
        return judge(rules, Callee(zone, bool(blacklisted), len(recent), int(tries_30d), oldest), now)

    async def dial(self, tenant: Tenant, command: Dial) -> dict[str, object]:
        """Click to call. Raises Conflict or Unavailable in words for the agent."""
        now = wall_s()
        agent = tenant.floor.team.agent(command.user_id)
        if agent.phone.state != "connected":
            raise Conflict("Your phone is not connected. Allow the microphone and connect it.", code="phone_off")
        run = await self.check(tenant, command)
        choice = self.engine.choose_trunk(tenant, command.number, command.campaign_id)
        if choice is None:
            raise Unavailable("No line is free to dial with. Try again in a moment.", code="no_trunk")
        entry: dict[str, Any] = {
            "lead_id": command.lead_id, "campaign_id": command.campaign_id, "phone": command.number,
            "customer_id": command.customer_id, "card": {"name": command.name, **command.card},
        }  # fmt: skip
        try:
            if command.lead_id is not None and not await self._seize(tenant, command.lead_id, entry):
                raise Conflict("This lead is being dialed just now.", code="lead_in_use")
        except BaseException:
            tenant.trunks.release(choice.trunk_id)
            raise
        call = self._call(tenant, run, entry, choice, BY_HAND, command.user_id, now)
        call.mode = Mode.MANUAL.value
        if not await self._place(tenant, call, entry):
            raise _not_placed()
        return {"call_id": call.call_id}

    async def check(self, tenant: Tenant, command: Dial) -> CampaignRun | None:
        """Whether the agent may call this number now; the campaign that it is for. Raises Conflict in words for him."""
        now = wall_s()
        agent = tenant.floor.team.agent(command.user_id)
        if agent.state.value not in ("available", "paused"):
            raise Conflict("Finish what you are doing before you dial.", code="busy")
        if tenant.expired:
            raise Conflict("The account of your enterprise has expired; it can't dial.", code=Rule.ACCOUNT_EXPIRED)
        run = tenant.campaigns.get(command.campaign_id or -1)
        rules = rules_of(run.settings.rules if run is not None else self._default_rules(tenant))
        blacklisted = command.blacklisted or bool(
            await self.engine.redis.sismember(hopper.blacklist_key(tenant.id), command.number)
        )
        zone = command.time_zone or tenant.time_zone
        refused = judge(rules, Callee(zone, blacklisted, command.attempts_24h), now)
        if refused is not None:
            raise _refusal(refused)
        return run

    async def _seize(self, tenant: Tenant, lead_id: int, entry: dict[str, Any]) -> bool:
        """Take a lead for a call by hand: out of its hopper, into flight; False if somebody has it."""
        flight = {"entry": wire.to_json(entry).decode(), "state": "leased", "at": wall_s()}
        keys = [hopper.flight_key(tenant.id), hopper.leads_key(tenant.id)]
        return bool(await self._seize_script(keys=keys, args=[str(lead_id), wire.to_json(flight)]))


def _refusal(refused: Refused) -> Conflict:
    return Conflict(
        f"This number may not be called now: {refused.detail}.",
        code=f"refused_{refused.rule.value}",
        params={"retry_at": refused.retry_at},
    )


def _not_placed() -> Unavailable:
    return Unavailable("The call could not be placed. Try again in a moment.", code="not_placed")
