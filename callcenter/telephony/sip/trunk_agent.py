"""Keeps one trunk alive: its registration, and the OPTIONS that tell whether it answers.

A failed registration is tried again after 1, 2, 4 … 60 s, each a little off so that many trunks don't come at once. A
trunk is up when its last OPTIONS was answered and, if it registers, it is registered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from secrets import randbelow, token_hex
from typing import Any

from callcenter.clock import monotonic_s, wall_s
from callcenter.telephony.ports import TrunkHealth, TrunkSpec
from callcenter.telephony.sip.dialog import DialogData, user_part
from callcenter.telephony.sip.digest import authorization
from callcenter.telephony.sip.line import Line, new_branch
from callcenter.telephony.sip.requests import LocalTimeout, Request
from callcenter.telephony.sip.udp import Address

log = logging.getLogger(__name__)

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 60.0
DOWN_CHECK_S = 5.0  # a trunk that is down is asked at least this often, to be used again soon
_UNAVAILABLE = frozenset({408, 502, 503, 504})

Reach = Callable[[TrunkSpec], Awaitable[Address | None]]


def retry_after_s(failures: int) -> float:
    """Seconds to the next try after `failures` (≥ 1) in a row, before the random part."""
    return min(LAST_RETRY_S, FIRST_RETRY_S * float(1 << min(failures - 1, 10)))


def refresh_after_s(expires_s: int) -> float:
    """When to renew a registration that lasts `expires_s`: early enough for several tries."""
    return max(1.0, expires_s * 0.5 if expires_s < 60 else expires_s - 20.0 - expires_s * 0.05)


class TrunkAgent:
    """The tasks of one trunk, from creation to `stop`. `unusable` is why it can't be used at all, or ""."""

    def __init__(self, line: Line, spec: TrunkSpec, reach: Reach, patience_s: float, unusable: str) -> None:
        self.spec = spec
        self._line, self._reach, self._patience_s = line, reach, patience_s
        self._registered: bool | None = False if spec.register else None
        self._answers: bool | None = None
        self._round_trip_ms: float | None = None
        self._registration = "not registered yet"
        self._liveliness = "not asked yet"
        self._told: tuple[bool, bool | None] | None = None
        self._told_detail = ""
        self._binding: DialogData | None = None
        self._tasks: list[asyncio.Task[None]] = []
        if unusable:
            self._say(False, unusable)
            return
        if spec.options_every_s > 0:
            self._tasks.append(line.loop.create_task(self._ask_for_ever()))
        else:
            self._answers, self._liveliness = True, "not checked by OPTIONS"
        if spec.register:
            self._tasks.append(line.loop.create_task(self._register_for_ever()))
        self._report()

    async def stop(self) -> None:
        """End the tasks; unregister if registered, waiting a second at most."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._registered and self._binding is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._register(0)

    # ------------------------------------------------------------------------------------------------------- health

    def _report(self) -> None:
        if self._answers is None or (self.spec.register and self._registration == "not registered yet"):
            return
        up = bool(self._answers) and self._registered is not False
        words = [self._liveliness] + ([self._registration] if self.spec.register else [])
        self._say(up, "; ".join(words))

    def _say(self, up: bool, detail: str) -> None:
        if self._told == (up, self._registered) and (up or self._told_detail == detail):
            return
        self._told, self._told_detail = (up, self._registered), detail
        self._line.tell(
            TrunkHealth("", wall_s(), self.spec.trunk_id, up, self._registered, detail, self._round_trip_ms)
        )

    async def _ask_for_ever(self) -> None:
        while True:
            data = await self._outside_dialog()
            began = monotonic_s()
            resp = None
            if data is not None:
                resp = await self._send(Request("OPTIONS", data, new_branch(), extra=("Accept: application/sdp",)))
            self._round_trip_ms = None if resp is None else round((monotonic_s() - began) * 1000, 1)
            self._answers = resp is not None and resp.scode not in _UNAVAILABLE
            if data is None:
                self._liveliness = f"host {self.spec.host} is unknown"
            elif resp is None:
                self._liveliness = f"no answer to OPTIONS within {self._patience_s:g} s"
            else:
                self._liveliness = f"OPTIONS answered with {resp.scode} {resp.reason}"
            self._report()
            every = self.spec.options_every_s
            await asyncio.sleep(every if self._answers else min(every, DOWN_CHECK_S))

    # ------------------------------------------------------------------------------------------------- registration

    async def _register_for_ever(self) -> None:
        failures = 0
        while True:
            lasts_s, words = await self._register(self.spec.expires_s)
            self._registered, self._registration = lasts_s is not None, words
            self._report()
            if lasts_s is not None:
                failures = 0
                await asyncio.sleep(refresh_after_s(lasts_s))
            else:
                failures += 1
                await asyncio.sleep(retry_after_s(failures) * random.uniform(0.8, 1.2))

    async def _register(self, expires_s: int) -> tuple[int | None, str]:
        """One registration with its challenges: (seconds that it lasts or None, words for a person)."""
        data = await self._outside_dialog()
        if data is None:
            return None, f"host {self.spec.host} is unknown"
        if self._binding is not None:
            data = replace(data, call_id=self._binding.call_id, local=self._binding.local, cseq=self._binding.cseq)
        credentials: tuple[str, ...] = ()
        resp: Any = None
        for attempt in range(4):
            data = data.next_cseq()
            self._binding = data
            extra = (f"Expires: {expires_s}", *credentials)
            resp = await self._send(Request("REGISTER", data, new_branch(), extra=extra))
            if resp is None:
                return None, f"no answer to REGISTER within {self._patience_s:g} s"
            if resp.scode in (401, 407):
                found = authorization(resp, self.spec, "REGISTER", data.remote_target, "", attempt > 0)
                if found is None:
                    break
                credentials = (found,)
            elif resp.scode == 423 and resp.countHFs("min-expires"):
                expires_s = int(str(resp.getHFBody("min-expires")))
            else:
                break
        if 200 <= resp.scode < 300:
            lasts_s = _granted(resp, data.contact, expires_s)
            return lasts_s, f"registered for {lasts_s} s"
        return None, f"registration refused with {resp.scode} {resp.reason}"

    # ------------------------------------------------------------------------------------------------------ requests

    async def _outside_dialog(self) -> DialogData | None:
        """A request's frame outside of any dialog, or None if the host name is unknown."""
        spec, (host, port) = self.spec, self._line.address
        destination = await self._reach(spec)
        if destination is None:
            return None
        domain = spec.from_domain or spec.host
        user = user_part(spec.username)
        aor = f"<sip:{user}@{domain}>" if user else f"<sip:{spec.from_domain or host}>"
        transport = "" if spec.transport == "udp" else f";transport={spec.transport}"
        routes = () if spec.outbound_proxy is None else (f"<sip:{spec.outbound_proxy[0]}:{spec.outbound_proxy[1]};lr>",)
        return DialogData(
            call_id=f"{token_hex(12)}@{host}",
            local=f"{aor};tag={token_hex(8)}",
            remote=aor if user else f"<sip:{spec.host}>",
            remote_target=f"sip:{spec.host}:{spec.port}{transport}",
            destination=destination,
            via=self._line.via,
            branch=new_branch(),
            contact=f"<sip:{user + '@' if user else ''}{host}:{port}>",
            cseq=randbelow(1 << 20) + 1,
            routes=routes,
        )

    async def _send(self, request: Request) -> Any:
        """The final response, or None if none came in time."""
        final: asyncio.Future[Any] = self._line.loop.create_future()

        def on_response(resp: Any, _: Any) -> None:
            if resp.scode >= 200 and not final.done():
                final.set_result(None if isinstance(resp, LocalTimeout) else resp)

        self._line.transactions.newTransaction(request, on_response, cb_ifver=2)
        try:
            async with asyncio.timeout(self._patience_s):
                return await final
        except TimeoutError:
            return None


def _granted(resp: Any, contact: str, wished_s: int) -> int:
    """The seconds that the registrar granted to our `contact`. A single binding is ours even if a proxy rewrote it."""
    bindings = [body for body in resp.getHFBodys("contact") if not body.asterisk]
    ours = [body for body in bindings if str(body.getUrl()).split(";")[0] == contact.strip("<>")]
    for body in ours or (bindings if len(bindings) == 1 else []):
        value = body.getUri().getParam("expires")
        if value is not None and value.isdigit():
            return int(value)
    for body in resp.getHFBodys("expires"):
        return int(body.getNum())
    return wished_s
