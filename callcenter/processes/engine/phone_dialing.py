"""What agents dial on their SIP phones: judged as a number that they clicked, then called the same way.

Only at the desk: who has chosen his SIP phone there and is available or paused. Anybody else's call is refused with the
reason in words, which most phones show.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from callcenter import log as logs
from callcenter.calls.commands import Dial
from callcenter.clock import wall_s
from callcenter.errors import AppError, Conflict, Forbidden, InvalidInput
from callcenter.numbers.asking import ask_caller
from callcenter.telephony.phones import PhoneCall
from crm.phones import time_zone_of
from dialer import hopper

if TYPE_CHECKING:
    from callcenter.processes.engine.by_hand import ByHand
    from callcenter.processes.engine.tenant import Tenant

log = logging.getLogger(__name__)
LOOKUP_S = 0.5


class PhoneDialing:
    """Calls from phones on their way to `ByHand`."""

    def __init__(self, by_hand: ByHand) -> None:
        self._by_hand, self._engine = by_hand, by_hand.engine
        self._engine.desk_phones.dialed = lambda event: self._engine.spawn(self._dialed(event), "dialed on a phone")
        self._engine.desk_phones.dial = lambda tenant, command: self._engine.spawn(
            self._dial(tenant, command), "dialed on a phone"
        )

    async def _dialed(self, event: PhoneCall) -> None:
        engine, owner = self._engine, self._engine.desk_phones.sip.owner(event.phone_id)
        if owner is None:
            engine.sip.reject(event.leg_id, 403, "Forbidden")
            return
        tenant, user_id = owner
        with logs.bind(tenant=tenant.id, call=event.leg_id):
            try:
                command = await self._command(tenant, user_id, event.to_number)
                await self._by_hand.check(tenant, command)
                await engine.desk_phones.answer(tenant, user_id, event, command)
            except AppError as error:
                log.info("agent %d may not dial on his phone: %s", user_id, error.code)
                engine.sip.reject(event.leg_id, 403, error.message)
            except (RedisError, OSError):
                engine.sip.reject(event.leg_id, 503, "Service Unavailable")

    async def _command(self, tenant: Tenant, user_id: int, dialed: str) -> Dial:
        """What a click on this number would have asked for. Raises Forbidden, Conflict or InvalidInput."""
        agent = tenant.floor.team.agents.get(user_id)
        if agent is None or agent.device != "sip":
            raise Conflict("Choose this phone at your desk first.", code="phone_not_chosen")
        if not tenant.documents["user", user_id].get("dials"):
            raise Forbidden("You may not dial by hand.")
        number = tenant.floor.to_e164(dialed)
        if number is None:
            raise InvalidInput("This is not a phone number that can be dialed.", code="number_invalid")
        caller = await ask_caller(self._engine.redis, tenant.id, number, LOOKUP_S)
        tries = await self._engine.redis.zcount(hopper.tries_key(tenant.id, number), wall_s() - 86_400, "+inf")
        first = caller.matches[0] if caller is not None and caller.matches and not caller.choices else None
        return Dial(
            user_id=user_id,
            number=number,
            customer_id=first.customer_id if first is not None else None,
            name=first.name if first is not None else "",
            time_zone=time_zone_of(number),
            blacklisted=caller is not None and caller.blacklisted,
            attempts_24h=int(tries),
            card=dict(caller.card) if caller is not None else {},
        )

    async def _dial(self, tenant: Tenant, command: Dial) -> None:
        """The phone is up. What can't be called after all ends it, unless another call reached the agent just now."""
        try:
            await self._by_hand.dial(tenant, command)
        except AppError as error:
            log.warning("what agent %d dialed on his phone was not placed: %s", command.user_id, error.code)
            if tenant.floor.call_of(command.user_id) is None:
                self._engine.desk_phones.close(tenant, command.user_id)
                tenant.floor.team.phone(command.user_id, "off", wall_s())
        self._engine.apply(tenant)
