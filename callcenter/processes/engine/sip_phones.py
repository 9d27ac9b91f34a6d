"""The SIP phones of an engine's tenants: who has which, where each is registered, and what is told of it.

Registrations are saved in Redis (`registrations:{tenant}`), so that a successor calls the phones at once, and shown
live (`sip-phone:{user}`; `sip-phones` tells only that some have changed).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec

from callcenter import wire
from callcenter.clock import wall_s
from callcenter.events.streams import registrations_key
from callcenter.telephony.phones import PhoneRegistered, PhoneSpec, Registration

if TYPE_CHECKING:
    from callcenter.processes.engine.shell import Engine, Tenant

log = logging.getLogger(__name__)
ENTITY = "sip_phone"


class SipPhones:
    """Phones by id with their registrations."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._owners: dict[int, tuple[Tenant, int]] = {}  # phone → tenant and user
        self._places: dict[int, Registration] = {}

    def settle(self, tenant: Tenant, phone_id: int, doc: dict[str, Any] | None) -> None:
        """A phone's newest document: {"user_id", "username", "ha1"}; None: it may register no more."""
        if doc is None:
            self._engine.sip.set_phone(phone_id, None)
            owner = self._owners.pop(phone_id, None)
            if owner is not None:
                if self._places.pop(phone_id, None) is not None:
                    self._tell(*owner, phone_id, None)
                self._engine.desk_phones.sip_phone_gone(*owner)
            return
        self._owners[phone_id] = (tenant, int(doc["user_id"]))
        self._engine.sip.set_phone(phone_id, PhoneSpec(phone_id, str(doc["username"]), str(doc["ha1"])))

    async def restore(self, tenant: Tenant) -> None:
        """Take up what a former engine knew of the tenant's phones; call it when they are settled."""
        now = wall_s()
        for raw_id, raw in (await self._engine.redis.hgetall(registrations_key(tenant.id))).items():
            try:
                phone_id, found = int(raw_id), wire.from_json(raw, Registration)
            except (msgspec.MsgspecError, ValueError) as error:
                log.error("a phone's registration can't be read: %s", error)
                continue
            owner = self._owners.get(phone_id)
            if owner is None or owner[0] is not tenant or found.expires_at <= now:
                self._engine.journal.save(registrations_key(tenant.id), str(phone_id), None)
                if owner is not None and owner[0] is tenant:
                    self._show(tenant, owner[1], phone_id, None)
                continue
            self._places[phone_id] = found
            self._engine.sip.restore_phone(phone_id, found)

    def on_registered(self, event: PhoneRegistered) -> None:
        """A phone came, moved, renewed or went."""
        owner = self._owners.get(event.phone_id)
        if owner is None:
            return
        before = self._places.pop(event.phone_id, None)
        if event.registration is not None:
            self._places[event.phone_id] = event.registration
        self._tell(*owner, event.phone_id, before)

    def _tell(self, tenant: Tenant, user_id: int, phone_id: int, before: Registration | None) -> None:
        now = self._places.get(phone_id)
        self._engine.journal.save(registrations_key(tenant.id), str(phone_id), now)
        if now is None or not now.same_place(before) or (before is not None and before.answers != now.answers):
            self._show(tenant, user_id, phone_id, now)

    def _show(self, tenant: Tenant, user_id: int, phone_id: int, now: Registration | None) -> None:
        self._engine.journal.live(tenant.id, f"sip-phone:{user_id}", shown(phone_id, now))
        self._engine.journal.live(tenant.id, "sip-phones", {"at": wall_s()})

    def owner(self, phone_id: int) -> tuple[Tenant, int] | None:
        """Whose phone it is."""
        return self._owners.get(phone_id)

    def of_user(self, tenant: Tenant, user_id: int) -> int | None:
        """The user's phone."""
        return next((i for i, (t, u) in self._owners.items() if t is tenant and u == user_id), None)

    def is_registered(self, phone_id: int) -> bool:
        """Whether it can be called now."""
        return phone_id in self._places


def shown(phone_id: int, now: Registration | None) -> dict[str, Any]:
    """A phone's state as browsers have it."""
    if now is None:
        return {"phone_id": phone_id, "registered": False, "device": "", "address": "", "since": None, "answers": None}
    return {
        "phone_id": phone_id, "registered": True, "device": now.user_agent, "address": f"{now.host}:{now.port}",
        "since": now.since, "answers": now.answers,
    }  # fmt: skip
