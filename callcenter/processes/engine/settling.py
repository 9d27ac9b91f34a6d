"""Settings: what a changed document means for a tenant's floor, campaigns, menus and trunks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from callcenter import wire
from callcenter.acd.roster import WorkRules
from callcenter.acd.settings import QueueSettings
from callcenter.numbers.calendar import CalendarDoc
from callcenter.numbers.routing import NumberDoc
from callcenter.processes.engine.shell import Engine, Tenant
from callcenter.telephony.ports import TrunkSpec
from callcenter.telephony.trunks import Trunk
from dialer.campaign import CampaignRun, Settings


class Settling:
    """Takes documents of (entity, id), None for one that is gone. Raises what msgspec raises for one that can't be
    read; nothing has changed then."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def settle(self, tenant: Tenant, entity: str, id_: int, doc: dict[str, Any] | None, now: float) -> None:
        """Work by the newest document from now on."""
        read = _readable(entity, id_, doc)
        if doc is None:
            tenant.documents.pop((entity, id_), None)
        else:
            tenant.documents[entity, id_] = doc
        match entity:
            case "enterprise":
                tenant.settle_enterprise()
            case "campaign":
                self._campaign(tenant, id_, read, now)
            case "trunk":
                self._trunks(tenant)
            case "user":
                self._user(tenant, id_, doc, now)
            case "queue":
                self._queue(tenant, id_, read, now)
            case "number":
                _keep(tenant.numbers, id_, read)
                self._trunks(tenant)  # by the dialed number, trunks at one address are told apart
            case "calendar":
                _keep(tenant.calendars, id_, read)
            case "sip_phone":
                self.engine.desk_phones.sip.settle(tenant, id_, doc)
            case "flow" if doc is None:
                tenant.ivr.drop(id_)
            case "flow":
                tenant.ivr.settle(id_, doc or {})

    # ---------------------------------------------------------------------------------------------------------- people

    def _user(self, tenant: Tenant, id_: int, doc: dict[str, Any] | None, now: float) -> None:
        if doc is None or not doc.get("enabled") or not doc.get("agent"):
            tenant.floor.greetings.pop(id_, None)
            tenant.floor.team.forget(id_, now)
            return
        _keep(tenant.floor.greetings, id_, str(doc.get("voicemail_greeting") or "") or None)
        campaigns = [c for c, run in tenant.campaigns.items() if id_ in run.settings.agents]
        settings = tenant.floor.queue_settings.values()
        queues = [q.id for q in settings if any(m.user_id == id_ for m in q.members)]
        self._know(tenant, id_, campaigns, queues, now)
        tenant.floor.give_out(now)

    def _know(self, tenant: Tenant, user_id: int, campaigns: Sequence[int], queues: Sequence[int], now: float) -> None:
        """All that the settings say of an agent."""
        doc = tenant.documents["user", user_id]
        skills = {str(name): int(level) for name, level in (doc.get("skills") or {}).items()}
        told = tuple(sorted(campaigns)), tuple(sorted(queues))
        tenant.floor.team.know(user_id, str(doc["name"]), told[0], now, queues=told[1], skills=skills)

    def _know_all(self, tenant: Tenant, now: float) -> None:
        """Each agent anew. All members are read once: calls wait while this is done."""
        campaigns: dict[int, list[int]] = defaultdict(list)
        queues: dict[int, list[int]] = defaultdict(list)
        for campaign_id, run in tenant.campaigns.items():
            for user_id in set(run.settings.agents):
                campaigns[user_id].append(campaign_id)
        for queue in tenant.floor.queue_settings.values():
            for user_id in {m.user_id for m in queue.members}:
                queues[user_id].append(queue.id)
        for user_id in list(tenant.floor.team.agents):
            if ("user", user_id) in tenant.documents:
                self._know(tenant, user_id, campaigns[user_id], queues[user_id], now)

    # --------------------------------------------------------------------------------------------- campaigns and queues

    def _campaign(self, tenant: Tenant, id_: int, settings: Settings | None, now: float) -> None:
        if settings is None:
            tenant.campaigns.pop(id_, None)
            tenant.floor.team.rules.pop(id_, None)
        else:
            tenant.floor.team.rules[id_] = WorkRules(
                settings.name, settings.wrap_up_s, settings.disposition_required, settings.preview_s
            )
            if id_ in tenant.campaigns:
                tenant.campaigns[id_].change(settings, now)
            else:
                tenant.campaigns[id_] = CampaignRun(settings, now)
        self._know_all(tenant, now)

    def _queue(self, tenant: Tenant, id_: int, settings: QueueSettings | None, now: float) -> None:
        if settings is None:
            tenant.floor.drop_queue(id_, now)
            self.engine.boards.changed(tenant.id, id_)
        else:
            tenant.floor.settle_queue(settings, now)
        self._know_all(tenant, now)
        tenant.floor.give_out(now)

    # ---------------------------------------------------------------------------------------------------------- trunks

    def _trunks(self, tenant: Tenant) -> None:
        tenant.trunks.set_trunks(_trunk(i, d) for (e, i), d in tenant.documents.items() if e == "trunk")
        self.engine.sip.set_trunks(
            {
                i: replace(_spec(i, d), numbers=tuple(n.e164 for n in t.numbers.values()))
                for t in self.engine.tenants.values()
                for (e, i), d in t.documents.items()
                if e == "trunk" and d["enabled"]
            }
        )


def _keep(known: dict[int, Any], id_: int, value: Any) -> None:
    if value is None:
        known.pop(id_, None)
    else:
        known[id_] = value


def _readable(entity: str, id_: int, doc: dict[str, Any] | None) -> Any:
    """The document as its type: one that can't be read must not come among those that can."""
    if doc is None:
        return None
    if entity == "trunk":
        _trunk(id_, doc)
        return _spec(id_, doc)
    kinds: dict[str, type[Any]] = {
        "campaign": Settings, "queue": QueueSettings, "number": NumberDoc, "calendar": CalendarDoc,
    }  # fmt: skip
    return wire.convert(doc, kinds[entity]) if entity in kinds else None


def _trunk(id_: int, d: dict[str, Any]) -> Trunk:
    return Trunk(
        trunk_id=id_,
        name=d["name"],
        channels=int(d["channels"]),
        cps=float(d["calls_per_second"]),
        prefixes=tuple(d["prefixes"]) or ("",),
        priority=int(d["priority"]),
        cost=float(d["cost"]),
        caller_ids=tuple(d["caller_ids"]),
        enabled=bool(d["enabled"]),
        keep_plus=not d["strip_plus"],
        prepend=d["prepend"],
    )


def _spec(id_: int, d: dict[str, Any]) -> TrunkSpec:
    host, _, port = d["outbound_proxy"].partition(":")
    return wire.convert(
        {
            "trunk_id": id_,
            "host": d["host"],
            "port": d["port"],
            "transport": d["transport"],
            "username": d["username"],
            "password": d["password"],
            "from_domain": d["from_domain"],
            "register": d["register"],
            "options_every_s": d["options_every_s"],
            "outbound_proxy": (host, int(port or 5060)) if host else None,
            **{ours: d[theirs] for ours, theirs in _INBOUND.items() if theirs in d},
        },
        TrunkSpec,
    )


_INBOUND = {
    "inbound": "inbound",
    "inbound_auth": "inbound_auth",
    "inbound_username": "inbound_username",
    "inbound_password": "inbound_password",
    "inbound_sources": "inbound_sources",
    "inbound_channels": "inbound_channels",
    "inbound_cps": "inbound_calls_per_second",
}
