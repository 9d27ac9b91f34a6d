"""The registrar: phones register here, are asked by OPTIONS whether they are still there, and prove their own calls.

What is cheap comes first: the packet's source (`gate.py`), then a challenge, which costs a hash; a name or a source
with too many wrong passwords gets its 403 without another look. A name that does not exist is challenged as one that
does, and refused as a wrong password is.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import replace
from secrets import randbelow, token_bytes, token_hex
from typing import Any

from callcenter.clock import monotonic_s, wall_s
from callcenter.telephony.phones import PREFIX, PhoneRegistered, PhoneSpec, Registration, realm_of
from callcenter.telephony.ports import TrunkSpec
from callcenter.telephony.sip.admission import FORBIDDEN, WRONG_BURST, WRONG_PER_S, Refusal
from callcenter.telephony.sip.bindings import SHORTEST_S, Wish, contact_line, decide
from callcenter.telephony.sip.challenge import Challenges, Verdict
from callcenter.telephony.sip.dialog import DialogData, user_part
from callcenter.telephony.sip.gate import Buckets, Gate
from callcenter.telephony.sip.line import Line, new_branch
from callcenter.telephony.sip.messages import response
from callcenter.telephony.sip.requests import LocalTimeout, Request
from callcenter.telephony.sip.sdp import SessionId
from callcenter.telephony.sip.sparing import Sparing
from callcenter.telephony.sip.transactions import LOG_EVERY_S, PRODUCT
from callcenter.telephony.sip.udp import Address

log = logging.getLogger(__name__)

ASK_EVERY_S = 25.0  # below the half minute after which a NAT forgets a UDP port
_TICK_S = 1.0


class Registrar:
    """The phones by id, and where each is."""

    def __init__(self, line: Line, gate: Gate, ask_every_s: float = ASK_EVERY_S) -> None:
        self._line, self._gate, self._ask_every_s = line, gate, ask_every_s
        self._specs: dict[int, PhoneSpec] = {}
        self._by_name: dict[str, PhoneSpec] = {}
        self._places: dict[int, Registration] = {}
        self._ask_at: dict[int, float] = {}  # phone → monotonic time of its next OPTIONS
        self._challenges = Challenges(token_bytes(32), PRODUCT)
        self._wrong = Buckets(WRONG_PER_S, WRONG_BURST)
        self._nobodys = token_hex(16)  # stands for the hash of names that are not there
        self._sparing = Sparing(LOG_EVERY_S)
        self.refused = 0  # requests with a wrong password, or none that counts, since the start
        self._watching = line.loop.create_task(self._watch())

    async def stop(self) -> None:
        """End the watch. Registrations stay where they are kept."""
        self._watching.cancel()

    def set(self, phone_id: int, spec: PhoneSpec | None) -> None:
        """The phone from now on, None if there is none any more. With another password whoever registered by the old
        one is registered no longer."""
        old = self._specs.pop(phone_id, None)
        if old is not None:
            self._by_name.pop(old.username, None)
        if spec is not None:
            self._specs[phone_id] = self._by_name[spec.username] = spec
        if old is not None and old != spec and phone_id in self._places:
            self._put(phone_id, None)

    def restore(self, phone_id: int, registration: Registration) -> None:
        """Take up what a former process knew. Nothing is told unless it has expired."""
        if phone_id in self._specs and phone_id not in self._places:
            self._places[phone_id] = registration
            self._ask_at[phone_id] = monotonic_s() + random.uniform(0.0, self._ask_every_s)

    def place(self, phone_id: int) -> Registration:
        """Where the phone is. Raises KeyError if it is not registered."""
        return self._places[phone_id]

    # ------------------------------------------------------------------------------------------------------ REGISTER

    def register(self, req: Any) -> Any:
        """The answer to a REGISTER."""
        name = str(req.getHFBody("to").getUrl().username or "")
        proved = self._prove(req, "REGISTER", name)
        if isinstance(proved, Refusal):
            return proved.response(req)
        before, now = self._places.get(proved.phone_id), wall_s()
        outcome = decide(_wish(req), before, now)
        if outcome.status == 200 and outcome.now != before:
            self._put(proved.phone_id, outcome.now)
        headers: list[tuple[str, str]] = []
        if outcome.status == 423:
            headers.append(("Min-Expires", str(SHORTEST_S)))
        elif outcome.status == 200 and outcome.now is not None:
            headers.append(("Contact", contact_line(outcome.now, now)))
        return response(req, outcome.status, outcome.reason, headers=headers)

    def caller(self, req: Any) -> PhoneSpec | Refusal | None:
        """The registered phone that INVITE `req` is of, or how it is refused; None if it is no phone's."""
        name = str(req.getHFBody("from").getUrl().username or "")
        if name not in self._by_name:
            return None
        proved = self._prove(req, "INVITE", name)
        if isinstance(proved, PhoneSpec) and proved.phone_id not in self._places:
            return Refusal(403, "Register this phone first")
        return proved

    def _prove(self, req: Any, method: str, name: str) -> PhoneSpec | Refusal:
        host, now = str(req.getSource()[0]), monotonic_s()
        spec = self._by_name.get(name)
        key = f"{host} {name}" if spec is not None else host  # one phone set up wrongly locks out no others beside it
        if not self._wrong.has(key, 1.0, now):
            self.refused += 1
            return FORBIDDEN
        answers = [str(header.body.body) for header in req.getHFs("authorization")]
        if not answers:
            return self._challenge(name, host, now)
        user = str(req.getRURI().username or "")
        ha1 = spec.ha1 if spec is not None else self._nobodys
        verdict = self._challenges.judge_phone(answers[0], method, user, host, name, ha1, now)
        if spec is None or verdict is Verdict.WRONG:
            self.refused += 1
            self._wrong.take(key, 1.0, now)
            if self._sparing.allows(host, now):
                log.warning("a phone's password is wrong: %s from %s:%s", method, *req.getSource())
            return FORBIDDEN
        if verdict is Verdict.STALE:
            return self._challenge(name, host, now, stale=True)
        self._gate.learn(host, now)
        return spec

    def _challenge(self, name: str, host: str, now: float, stale: bool = False) -> Refusal:
        realm = "".join(c for c in realm_of(name) if c.isascii() and (c.isalnum() or c in "-._"))[:60] or PRODUCT
        body = self._challenges.challenge(token_hex(8), host, now, stale=stale, realm=realm)
        return Refusal(401, "Unauthorized", (("WWW-Authenticate", body),))

    def _put(self, phone_id: int, registration: Registration | None) -> None:
        if registration is None:
            self._places.pop(phone_id, None)
            self._ask_at.pop(phone_id, None)
        else:
            self._places[phone_id] = registration
            self._ask_at.setdefault(phone_id, monotonic_s() + random.uniform(0.5, 1.0) * self._ask_every_s)
        self._line.tell(PhoneRegistered(f"{PREFIX}{phone_id}", wall_s(), phone_id, registration))

    # --------------------------------------------------------------------------------------------------------- watch

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(_TICK_S, self._ask_every_s))
            now, at = wall_s(), monotonic_s()
            for phone_id, place in list(self._places.items()):
                if place.expires_at <= now:
                    self._put(phone_id, None)
                elif self._ask_at.get(phone_id, at) <= at:
                    self._ask_at[phone_id] = at + self._ask_every_s
                    self._ask(phone_id, place)

    def _ask(self, phone_id: int, place: Registration) -> None:
        """OPTIONS to the phone. Whatever it answers, it is there; without an answer it keeps its registration, as its
        network may come back, and is shown as silent."""
        data = self.dialog(phone_id, PRODUCT, PRODUCT)

        def on_response(resp: Any, _: Any) -> None:
            known = self._places.get(phone_id)
            answers = not isinstance(resp, LocalTimeout)
            if resp.scode >= 200 and known is not None and known.same_place(place) and known.answers != answers:
                self._put(phone_id, replace(known, answers=answers))

        self._line.send(Request("OPTIONS", data, new_branch()), on_response)

    # --------------------------------------------------------------------------------------------------------- calls

    def trunk(self, phone_id: int) -> TrunkSpec:
        """The phone as a leg's far end: all goes to where its packets come from. Raises KeyError if it is not there."""
        return towards(self.address(phone_id))

    def address(self, phone_id: int) -> Address:
        """Where the phone's packets come from. Raises KeyError if it is not registered."""
        place = self._places[phone_id]
        return place.host, place.port

    def dialog(self, phone_id: int, caller_id: str, caller_name: str) -> DialogData:
        """A request of ours to the phone, not yet sent. Raises KeyError if it is not registered."""
        place, spec = self._places[phone_id], self._specs[phone_id]
        host, port = self._line.address
        user = user_part(caller_id)
        return DialogData(
            call_id=f"{token_hex(12)}@{host}",
            local=f'"{caller_name}" <sip:{user}@{host}>;tag={token_hex(8)}',
            remote=f"<sip:{user_part(spec.username)}@{host}>",
            remote_target=place.contact,
            destination=(place.host, place.port),
            via=self._line.via,
            branch=new_branch(),
            contact=f"<sip:{user}@{host}:{port}>",
            cseq=randbelow(1 << 20) + 1,
            session=SessionId(randbelow(1 << 31) + 1),
        )


def towards(address: Address) -> TrunkSpec:
    """A far end of which only the address is known."""
    return TrunkSpec(0, address[0], address[1], outbound_proxy=address)


def _wish(req: Any) -> Wish:
    expires = [int(body.getNum()) for body in req.getHFBodys("expires")]
    agents = [str(body).strip() for body in req.getHFBodys("user-agent")]
    contacts = ["*" if body.asterisk else str(body.body) for body in req.getHFBodys("contact")]
    return Wish(
        tuple(contacts), expires[0] if expires else None, str(req.getHFBody("call-id")),
        req.getHFBody("cseq").getCSeqNum(), req.getSource(), "rport" in req.getHFBody("via").params,
        agents[0] if agents else "",
    )  # fmt: skip
