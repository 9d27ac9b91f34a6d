"""One call at a time: a lead refused, put back, made a call of, placed; and those found that were left over."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from redis.exceptions import RedisError

from callcenter import ids, wire
from callcenter.calls import effects as fx
from callcenter.calls.call import Call
from callcenter.calls.facts import LeadRefused
from callcenter.clock import wall_s
from callcenter.compliance.judge import Refused, Rules
from callcenter.errors import AppError
from callcenter.events.envelope import FACTS
from callcenter.fsm import IllegalEvent
from callcenter.processes.engine.shell import Engine, Tenant
from callcenter.telephony.trunks import pick_caller_id
from dialer import hopper
from dialer.campaign import CampaignRun
from dialer.modes import Mode

log = logging.getLogger(__name__)
LEFT_OVER_S = 120.0
RECONCILE_S = 60.0
RING_TIMEOUT_BY_HAND_S = 45.0


class Placing:
    """What dialing by itself and dialing by hand share."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._placing: set[tuple[int, int | None]] = set()  # tenant and lead, while a port is opened
        self._give_back = engine.fence.script(hopper.GIVE_BACK)

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
            on_demand=s is not None and s.record == "on_demand",
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

    def _default_rules(self, tenant: Tenant) -> dict[str, Any]:
        doc = tenant.documents.get(("enterprise", tenant.id), {})
        rules = doc.get("rules")
        return dict(rules) if isinstance(rules, dict) else {}

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


def rules_of(doc: dict[str, Any]) -> Rules:
    """A rule set's document as the judge wants it."""
    return Rules(
        windows=doc.get("windows") or (),
        holidays=doc.get("holidays") or (),
        attempts_24h=int(doc.get("attempts_24h") or 0),
        attempts_30d=int(doc.get("attempts_30d") or 0),
        abandoned_lockout_h=int(doc.get("abandoned_lockout_h") or 0),
    )
