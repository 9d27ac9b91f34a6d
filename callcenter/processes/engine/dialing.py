"""Placing calls: campaign ticks, leads out of the hopper, judged once more, onto a trunk with a free channel."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from typing import Any

from redis.exceptions import RedisError

from callcenter import wire
from callcenter.calls.call import Call, CallState
from callcenter.clock import wall_s
from callcenter.compliance.judge import Callee, judge
from callcenter.processes.engine.by_hand import ByHand
from callcenter.processes.engine.placing import rules_of
from callcenter.processes.engine.shell import Engine, Tenant
from callcenter.telephony.trunks import TrunkLimit
from dialer import hopper
from dialer.campaign import AWAY, CampaignRun, Outside, share
from dialer.control import DIALED
from dialer.limits import Limit
from dialer.modes import Mode

log = logging.getLogger(__name__)
TICK_S = 1.0
FAST_TICK_S = 0.1
FAST = frozenset({Mode.PROGRESSIVE, Mode.POWER, Mode.PREVIEW})  # need not wait for the pacer's second

_TRUNK_LIMITS = {
    TrunkLimit.NONE_CONFIGURED: Limit.NO_TRUNK,
    TrunkLimit.DOWN: Limit.TRUNK_DOWN,
    TrunkLimit.CHANNELS: Limit.TRUNK_CHANNELS,
}


class Dialing(ByHand):
    """The dialer of an engine's tenants."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._pop = engine.fence.script(hopper.POP)
        self._outside: dict[tuple[int, int], Outside] = {}
        self._menus: dict[int, dict[str, Any]] = {}
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
        self._publish_menus(tenant)

    def _publish_menus(self, tenant: Tenant) -> None:
        """How many callers are in menus now, by flow."""
        flows = Counter(str(c.run.get("flow_id", "")) for c in tenant.floor.calls.values() if c.state is CallState.MENU)
        doc = {"callers": flows.total(), "flows": dict(flows)}
        if doc != self._menus.get(tenant.id):
            self._menus[tenant.id] = doc
            self.engine.journal.live(tenant.id, "menus", doc)

    def _publish_trunks(self, tenant: Tenant, now: float) -> None:
        doc: dict[str, Any] = {}
        for (entity, trunk_id), trunk in tenant.documents.items():
            if entity == "trunk":
                health = self.engine.trunk_health.get(trunk_id)
                doc[str(trunk_id)] = {
                    "name": trunk["name"],
                    "enabled": trunk["enabled"],
                    "channels": trunk["channels"],
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
        if whole:
            tenant.floor.blend(now)
            self.engine.apply(tenant)
        # A campaign with nothing to dial keeps no agent from another.
        shares = share(
            [a for a in tenant.floor.team.agents.values() if a.user_id not in tenant.floor.team.withheld],
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
            self._cancel_surplus(tenant, run, calls, now)
            if whole:
                run.outside = self._bounds(tenant, run, now)
                everyone = list(tenant.floor.team.members_of(campaign))
                document = run.view(everyone, calls, now)
                self.engine.journal.live(tenant.id, f"campaign:{campaign}", document)

    def _cancel_surplus(self, tenant: Tenant, run: CampaignRun, calls: list[Call], now: float) -> None:
        """Calls that still ring and that nobody is left to take are given up: better no call than an abandoned one. A
        progressive campaign has one agent for each of its calls, the others count on whoever is at work. An agent who
        is kept for a queue takes none."""
        ringing = [
            c for c in calls if c.state is CallState.PLACED and c.control == DIALED and c.hanging_up_since is None
        ]
        if not ringing:
            return
        at_work = sum(a.state not in AWAY for a in tenant.floor.team.of_campaign(run.settings.id))
        kept = at_work if run.settings.mode == Mode.PROGRESSIVE or not at_work else len(ringing)
        surplus = sorted(ringing, key=lambda c: c.started_at)[kept:]
        for call in surplus:
            tenant.floor.hang_up(call, "system", now)
        if surplus:
            self.engine.apply(tenant)

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
