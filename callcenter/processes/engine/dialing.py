"""Placing calls: campaign ticks, leads out of the hopper, judged once more, onto a trunk with a free channel."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

from redis.exceptions import RedisError

from callcenter import ids, wire
from callcenter.acd.agent import AgentState
from callcenter.acd.views import CallView
from callcenter.calls import effects as fx
from callcenter.calls.call import Call
from callcenter.calls.commands import Dial
from callcenter.calls.facts import LeadRefused
from callcenter.clock import wall_s
from callcenter.compliance.judge import Callee, Refused, Rule, Rules, judge
from callcenter.errors import AppError, Conflict, Unavailable
from callcenter.events.envelope import FACTS
from callcenter.fsm import IllegalEvent
from callcenter.processes.engine.shell import Engine, Tenant
from callcenter.telephony.trunks import TrunkLimit, pick_caller_id
from dialer import hopper
from dialer.campaign import CampaignRun, Outside, share
from dialer.control import BY_HAND, DIALED
from dialer.limits import Limit
from dialer.models import Mode

log = logging.getLogger(__name__)
TICK_S = 1.0
FAST_TICK_S = 0.1
FAST = frozenset({Mode.PROGRESSIVE, Mode.POWER, Mode.PREVIEW})  # need not wait for the pacer's second
PREVIEW_AGAIN_S = 600.0
LEFT_OVER_S = 120.0
RECONCILE_S = 60.0
RING_TIMEOUT_BY_HAND_S = 45.0

_TRUNK_LIMITS = {
    TrunkLimit.NONE_CONFIGURED: Limit.NO_TRUNK,
    TrunkLimit.DOWN: Limit.TRUNK_DOWN,
    TrunkLimit.CHANNELS: Limit.TRUNK_CHANNELS,
}


class Dialing:
    """The dialer of an engine's tenants."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        engine.dial_preview = self._dial_preview
        redis = engine.redis
        self._pop = redis.register_script(hopper.POP)
        self._give_back = redis.register_script(hopper.GIVE_BACK)
        self._placing: set[tuple[int, int | None]] = set()  # tenant and lead, while a port is opened
        self._seize_script = redis.register_script(hopper.SEIZE)
        self._outside: dict[tuple[int, int], Outside] = {}
        self._busy: set[tuple[int, int]] = set()  # campaigns whose leads are being taken just now

    # ------------------------------------------------------------------------------------------------------- ticking

    async def run(self) -> None:
        """Tick until cancelled: figures and consoles each second, dialing as often as the mode likes."""
        tick = 0
        fast = round(TICK_S / FAST_TICK_S)
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            # By the clock, not after the work: a second that lasts longer would dial less than the trunks allow.
            due = max(due + FAST_TICK_S, loop.time())
            await asyncio.sleep(due - loop.time())
            tick += 1
            whole = tick % fast == 0
            for tenant in list(self.engine.tenants.values()):
                try:
                    if whole:
                        await self._refresh(tenant)
                    self._tick(tenant, whole)
                except Exception:
                    log.exception("tick of tenant %d failed", tenant.id)

    async def _refresh(self, tenant: Tenant) -> None:
        """Bring hopper sizes, the feeder's and the recorder's figures."""
        runs = list(tenant.campaigns)
        try:
            async with self.engine.redis.pipeline(transaction=False) as pipe:
                for campaign in runs:
                    pipe.zcard(hopper.hopper_key(tenant.id, campaign))
                    pipe.get(hopper.feed_key(tenant.id, campaign))
                    pipe.get(hopper.counts_key(tenant.id, campaign))
                answers = await pipe.execute()
        except (RedisError, OSError):
            answers = None
        now = wall_s()
        for i, campaign in enumerate(runs):
            before = self._outside.get((tenant.id, campaign), Outside())
            outside = replace(before, redis_up=answers is not None and self.engine.journal.up)
            if answers is not None:
                size, feed, counts = answers[3 * i : 3 * i + 3]
                outside = replace(
                    outside,
                    hopper=int(size),
                    feed=wire.from_json(feed, dict[str, Any]) if feed else {},
                    counts=wire.from_json(counts, dict[str, Any]) if counts else {},
                )
            self._outside[tenant.id, campaign] = outside
        self._publish_trunks(tenant, now)

    def _publish_trunks(self, tenant: Tenant, now: float) -> None:
        doc: dict[str, Any] = {}
        for entity, trunk_id in tenant.documents:
            if entity == "trunk":
                health = self.engine.trunk_health.get(trunk_id)
                doc[str(trunk_id)] = {
                    "up": health.up if health else None,
                    "registered": health.registered if health else None,
                    "detail": health.detail if health else "",
                    "round_trip_ms": health.round_trip_ms if health else None,
                    "in_use": tenant.trunks.in_use(trunk_id),
                }
        if doc:
            self.engine.journal.live(tenant.id, "trunks", doc)

    def _tick(self, tenant: Tenant, whole: bool) -> None:
        now = wall_s()
        # A campaign with nothing to dial keeps no agent from another.
        shares = share(
            tenant.floor.team.agents.values(),
            [c for c, run in tenant.campaigns.items() if run.settings.running and self._has_leads(tenant, run)],
        )
        for campaign, run in tenant.campaigns.items():
            calls = tenant.calls_of(campaign)
            agents = shares[campaign] if campaign in shares else list(tenant.floor.team.of_campaign(campaign))
            if (whole or run.settings.mode in FAST) and run.settings.running:
                key = (tenant.id, campaign)
                if key not in self._busy:
                    verdict = run.verdict(agents, calls, self._bounds(tenant, run, now), now)
                    if verdict.dials > 0:
                        self._busy.add(key)
                        self.engine.spawn(self._take(tenant, run, verdict.dials), "dialing")
            if whole:
                run.outside = self._bounds(tenant, run, now)
                everyone = list(tenant.floor.team.of_campaign(campaign))
                document = run.view(everyone, calls, now)
                self.engine.journal.live(tenant.id, f"campaign:{campaign}", document)

    def _has_leads(self, tenant: Tenant, run: CampaignRun) -> bool:
        outside = self._outside.get((tenant.id, run.settings.id))
        return outside is not None and outside.hopper > 0 and run.settings.mode != Mode.MANUAL

    def _bounds(self, tenant: Tenant, run: CampaignRun, now: float) -> Outside:
        outside = self._outside.get((tenant.id, run.settings.id), Outside())
        channels = tenant.trunks.free_channels(now)
        limit = _TRUNK_LIMITS[tenant.trunks.shortage()].value
        names = [str(d.get("name", "")) for (e, _), d in tenant.documents.items() if e == "trunk"]
        return replace(
            outside,
            free_channels=channels,
            free_cps=int(tenant.trunks.free_cps(now)),
            trunk_limit=limit,
            trunk_name=names[0] if len(names) == 1 else "",
            expired=tenant.expired,
            media_up=self.engine.media_up,
        )

    # ------------------------------------------------------------------------------------------------- taking leads

    async def _take(self, tenant: Tenant, run: CampaignRun, n: int) -> None:
        key = (tenant.id, run.settings.id)
        try:
            now = wall_s()
            answer = await self._pop(
                keys=[
                    hopper.hopper_key(*key), hopper.leads_key(tenant.id), hopper.flight_key(tenant.id),
                    hopper.blacklist_key(tenant.id), hopper.tries_key(tenant.id, ""),
                ],
                args=[n, now, self.engine.config.engine_id],
            )  # fmt: skip
            outside = self._outside.get(key, Outside())
            self._outside[key] = replace(outside, hopper=max(0, outside.hopper - len(answer) // 5))
            leads = [_lead(tenant, *answer[i : i + 5]) for i in range(0, len(answer), 5)]
            # Side by side: one after the other each would wait for the media process to open the port of the last.
            results = await asyncio.gather(
                *(self._one(tenant, run, entry, callee, now) for entry, callee in leads), return_exceptions=True
            )
            run.count_placed(sum(r is True for r in results), now)
            for error in results:
                if isinstance(error, BaseException):
                    log.error("a lead was not dialed", exc_info=error)
        except (RedisError, OSError) as error:
            log.warning("no leads: %s", error)
        finally:
            self._busy.discard(key)

    async def _one(self, tenant: Tenant, run: CampaignRun, entry: dict[str, Any], callee: Callee, now: float) -> bool:
        """Judge one lead and dial it (or show it as a preview). Returns whether a call was placed."""
        if not run.settings.running:  # paused or deleted since the lead was asked for
            await self._put_back(tenant, entry)
            return False
        refused = judge(rules_of(run.settings.rules), callee, now)
        if refused is not None:
            self._refuse(tenant, entry, refused, now)
            return False
        if run.settings.mode == Mode.PREVIEW:
            await self._preview(tenant, run, entry, now)
            return False
        choice = self.engine.choose_trunk(tenant, entry["phone"], run.settings.id)
        if choice is None:
            await self._put_back(tenant, entry)
            return False
        call = self._call(tenant, run, entry, choice, DIALED, None, now)
        return await self._place(tenant, call, entry)

    def _refuse(self, tenant: Tenant, entry: dict[str, Any], refused: Refused, now: float) -> None:
        fact = LeadRefused(
            int(entry["lead_id"]), int(entry["campaign_id"]), entry["phone"], refused.rule.value, refused.detail,
            refused.retry_at,
        )  # fmt: skip
        self.engine.journal.fact(FACTS.pack(fact, tenant=tenant.id, at=now))
        self.engine.journal.landed(tenant.id, int(entry["lead_id"]))

    async def _put_back(self, tenant: Tenant, entry: dict[str, Any]) -> None:
        keys = [
            hopper.hopper_key(tenant.id, int(entry["campaign_id"])),
            hopper.leads_key(tenant.id),
            hopper.flight_key(tenant.id),
        ]
        await self._give_back(keys=keys, args=[str(entry["lead_id"]), entry.get("order", 0)])

    def _call(
        self, tenant: Tenant, run: CampaignRun | None, entry: dict[str, Any], choice: Any, control: str,
        agent_id: int | None, now: float,
    ) -> Call:  # fmt: skip
        s = run.settings if run is not None else None
        caller_id = choice.caller_id
        if s is not None and s.caller_ids:
            caller_id = pick_caller_id(entry["phone"], s.caller_ids)
        prompt = ""
        if s is not None:
            name = s.prompt_abandoned or f"identification_{s.language.split('-')[0]}"
            prompt = self.engine.prompts.get(name, "")
        return Call(
            call_id=ids.new_id(now),
            control=control,
            mode=s.mode if s is not None else Mode.MANUAL.value,
            number=entry["phone"],
            caller_id=caller_id,
            trunk_id=choice.trunk_id,
            dialed=choice.dialed,
            started_at=now,
            ring_timeout_s=s.ring_timeout_s if s is not None else RING_TIMEOUT_BY_HAND_S,
            campaign_id=entry.get("campaign_id"),
            lead_id=entry.get("lead_id"),
            customer_id=entry.get("customer_id"),
            agent_id=agent_id,
            record=s is None or s.record == "always",
            patience_s=s.patience_s if s is not None else 2.0,
            prompt=prompt,
            card={**(entry.get("card") or {}), "script_id": s.script_id if s is not None else None},
        )

    async def _place(self, tenant: Tenant, call: Call, entry: dict[str, Any]) -> bool:
        engine, hand = self.engine, (tenant.id, call.lead_id)
        self._placing.add(hand)
        try:
            await engine.open_port(tenant, call.call_id, engine.trunk_codec(tenant, call.trunk_id))
            now = wall_s()
            tenant.floor.place(call, now)
        except Exception as error:
            expected = isinstance(error, RuntimeError | IllegalEvent | AppError)
            log.warning("a call was not placed: %s", error, exc_info=None if expected else error)
            tenant.trunks.release(call.trunk_id)
            engine.media.delete_port(fx.call_port(call.call_id))
            if call.lead_id is not None:
                engine.return_lead(tenant, entry, "not_placed", 0.0)
            if isinstance(error, AppError):
                raise
            return False
        finally:
            self._placing.discard(hand)
        engine.journal.placed(tenant.id, call.lead_id, call.call_id, call.number, wire.to_json(entry).decode(), now)
        engine.apply(tenant)
        return True

    # ------------------------------------------------------------------------------------------------- agents' hands

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

    async def _seize(self, tenant: Tenant, lead_id: int, entry: dict[str, Any]) -> bool:
        """Take a lead for a call by hand: out of its hopper, into flight; False if somebody has it."""
        flight = {"entry": wire.to_json(entry).decode(), "state": "leased", "at": wall_s()}
        keys = [hopper.flight_key(tenant.id), hopper.leads_key(tenant.id)]
        return bool(await self._seize_script(keys=keys, args=[str(lead_id), wire.to_json(flight)]))

    # ------------------------------------------------------------------------------------------------ leads left over

    async def return_left_over(self, tenant: Tenant, now: float) -> int:
        """Leads in flight that nothing here knows of go back: handed out while the connection broke, so that the
        answer never came, or by a giving back that failed. Returns how many.

        What was written here is waited for first, and a lead is left alone for LEFT_OVER_S: by then each one that was
        taken is dialed, shown or returned.
        """
        await self.engine.journal.durable()
        flights: Any = await self.engine.redis.hgetall(hopper.flight_key(tenant.id))
        known = {str(c.lead_id) for c in tenant.floor.calls.values()}
        known |= {str(a.preview.get("lead_id")) for a in tenant.floor.team.agents.values() if a.preview}
        found = 0
        for raw_id, raw in flights.items():
            flight = wire.from_json(raw, dict[str, Any])
            if (
                raw_id.decode() in known
                or (tenant.id, int(raw_id)) in self._placing
                or now - float(flight.get("at") or 0) < LEFT_OVER_S
            ):
                continue
            found += 1
            log.error("reconciler: lead %s was left in flight (%s)", raw_id.decode(), flight["state"])
            if flight["state"] == "leased":
                self.engine.return_lead(tenant, hopper.entry(flight["entry"]), "left_over", 0.0)
            else:  # its call has ended: the facts say how
                self.engine.journal.landed(tenant.id, int(raw_id))
        return found

    async def reconcile(self) -> None:
        """`return_left_over` for all tenants, every RECONCILE_S, until cancelled."""
        while True:
            await asyncio.sleep(RECONCILE_S)
            for tenant in list(self.engine.tenants.values()):
                try:
                    await self.return_left_over(tenant, wall_s())
                except (RedisError, OSError):
                    break  # away: the next time
                except Exception:
                    log.exception("leads in flight of tenant %d could not be looked at", tenant.id)

    def _default_rules(self, tenant: Tenant) -> dict[str, Any]:
        doc = tenant.documents.get(("enterprise", tenant.id), {})
        rules = doc.get("rules")
        return dict(rules) if isinstance(rules, dict) else {}


def _refusal(refused: Refused) -> Conflict:
    return Conflict(
        f"This number may not be called now: {refused.detail}.",
        code=f"refused_{refused.rule.value}",
        params={"retry_at": refused.retry_at},
    )


def _not_placed() -> Unavailable:
    return Unavailable("The call could not be placed. Try again in a moment.", code="not_placed")


def _lead(
    tenant: Tenant, raw: bytes, blacklisted: int, tries: int, oldest: bytes, tries_30d: int
) -> tuple[dict[str, Any], Callee]:
    """What `hopper.POP` answers of one lead: its entry, and the callee to judge."""
    entry = hopper.entry(raw)
    return entry, Callee(
        time_zone=entry.get("time_zone") or tenant.time_zone,
        blacklisted=bool(blacklisted),
        tries_24h=int(tries),
        tries_30d=int(tries_30d),
        oldest_try_24h=float(oldest) if oldest else None,
        last_abandoned=entry.get("last_abandoned"),
    )


def rules_of(doc: dict[str, Any]) -> Rules:
    """A rule set's document as the judge wants it."""
    return Rules(
        windows=doc.get("windows") or (),
        holidays=doc.get("holidays") or (),
        attempts_24h=int(doc.get("attempts_24h") or 0),
        attempts_30d=int(doc.get("attempts_30d") or 0),
        abandoned_lockout_h=int(doc.get("abandoned_lockout_h") or 0),
    )
