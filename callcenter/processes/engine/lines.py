"""Customers' legs on their way out: trunk after trunk, the media port, the INVITE; and their far ends' audio."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from callcenter.calls import effects as fx
from callcenter.calls.call import Call
from callcenter.clock import wall_s
from callcenter.config import Config
from callcenter.telephony import ports as p

if TYPE_CHECKING:
    from callcenter.processes.engine.fence import Fence
    from callcenter.processes.engine.journal import Journal
    from callcenter.processes.engine.tenant import Tenant

log = logging.getLogger(__name__)


class Lines:
    """What the engine does about the legs of calls; a part of `shell.Engine`."""

    config: Config
    fence: Fence
    sip: p.SipPort
    media: p.MediaPort
    journal: Journal

    def spawn(self, work: Coroutine[Any, Any, Any], what: str) -> None:
        """See `Engine.spawn`."""
        raise NotImplementedError

    def apply(self, tenant: Tenant) -> None:
        """See `Engine.apply`."""
        raise NotImplementedError

    def far_media(self, port: str, sdp: p.Sdp) -> None:
        """Send where the far end of `port` listens."""
        try:
            self.media.update_port(
                port, remote=sdp.address, codec=sdp.codec, dtmf_pt=sdp.dtmf_pt,
                sending=sdp.direction in ("sendrecv", "recvonly"),
            )  # fmt: skip
        except KeyError:
            log.warning("the call has no media port any more")

    def _try_next_trunk(self, tenant: Tenant, call: Call, event: p.LegEnded) -> bool:
        """A trunk that can't take the call is not the callee's answer: the next trunk gets it."""
        trunk_fault = event.cause in (p.Cause.CONGESTION, p.Cause.UNREACHABLE, p.Cause.REJECTED)
        if not trunk_fault or call.ringing_at or call.answered_at or call.hanging_up_since is not None:
            return False
        tried = tenant.tried.setdefault(call.call_id, [call.trunk_id])
        choice = self.choose_trunk(tenant, call.number, call.campaign_id, frozenset(tried))
        if choice is None:
            return False
        tenant.trunks.release(call.trunk_id)
        tried.append(choice.trunk_id)
        call.trunk_id, call.dialed = choice.trunk_id, choice.dialed
        self.journal.call(tenant.id, call.call_id, call)
        self.spawn(self._originate(tenant, call.call_id, f"{call.call_id}~{len(tried) - 1}"), "originate again")
        return True

    def choose_trunk(
        self, tenant: Tenant, number: str, campaign_id: int | None, tried: frozenset[int] = frozenset()
    ) -> Any:
        """A trunk with a free channel for `number`, its channel now ours; None if there is none."""
        run = tenant.campaigns.get(campaign_id or -1)
        allowed = run.settings.trunk_ids if run is not None else ()
        exclude = set(tried)
        if allowed:
            exclude |= {t for e, t in tenant.documents if e == "trunk" and t not in allowed}
        choice = tenant.trunks.choose(wall_s(), number, frozenset(exclude))
        return choice if hasattr(choice, "trunk_id") else None

    def _leg_id(self, tenant: Tenant, call_id: str) -> str:
        """The call's leg as SIP knows it: that of the trunk tried last."""
        again = len(tenant.tried.get(call_id, [0])) - 1
        return f"{call_id}~{again}" if again else call_id

    async def _originate(self, tenant: Tenant, call_id: str, leg_id: str) -> None:
        await self.journal.durable()
        call = self._still_wanted(tenant, call_id)
        if call is None:
            return
        codec = self.trunk_codec(tenant, call.trunk_id)
        try:
            address = await self.open_port(tenant, call_id, codec)
            if self._still_wanted(tenant, call_id) is None:
                self.media.delete_port(fx.call_port(call_id))
                return
            self.fence.check()  # nothing that was told to Redis before a pause counts after it
            self.sip.originate(
                leg_id, call.trunk_id, call.dialed, call.caller_id, p.Sdp(address, codec), call.ring_timeout_s
            )
        except (RuntimeError, KeyError) as error:
            log.error("call %s can't be placed: %s", call_id, error)
            tenant.floor.lost(call_id, p.Cause.CONGESTION, wall_s())
            self.apply(tenant)

    def _still_wanted(self, tenant: Tenant, call_id: str) -> Call | None:
        """A call before its INVITE; None if it was given up meanwhile (it ends here then)."""
        call = tenant.floor.calls.get(call_id)
        if call is not None and call.hanging_up_since is not None:
            tenant.floor.lost(call_id, p.Cause.CANCELLED, wall_s())
            self.apply(tenant)
            return None
        return call

    def trunk_codec(self, tenant: Tenant, trunk_id: int) -> str:
        """The codec that a trunk is set up for."""
        return str(tenant.documents.get(("trunk", trunk_id), {}).get("codec") or "pcmu")

    async def open_port(self, tenant: Tenant, call_id: str, codec: str) -> p.MediaAddress:
        """The media port of a call that is about to be placed, on the worker of the tenant's agents."""
        near = next(
            (
                fx.agent_port(tenant.id, a.user_id)
                for a in tenant.floor.team.agents.values()
                if a.phone.state == "connected"
            ),
            "",
        )
        port, silent_s = fx.call_port(call_id), self.config.far_end_silent_s
        try:
            return await self.media.create_port(port, near=near, codec=codec, silence_after_s=silent_s)
        except KeyError:
            return await self.media.create_port(port, codec=codec, silence_after_s=silent_s)
