"""Whose calls are let in: by the address of a trunk, or by a password that it answers our challenge with.

An INVITE is judged in this order: the trunks at its source address (`inbound_auth` ip); the trunks with a password
that may come from there (digest): a challenge, and the answer to it; nobody: 403. Then the trunk's limits: channels and
calls per second, 503 beyond. Wrong passwords are few per source; what comes after them is not even computed.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from secrets import token_bytes, token_hex
from typing import Any

from callcenter.log import mask_numbers
from callcenter.telephony.ports import TrunkSpec
from callcenter.telephony.sip.challenge import Challenges, Verdict
from callcenter.telephony.sip.gate import Bucket, Buckets, Gate
from callcenter.telephony.sip.messages import response
from callcenter.telephony.sip.sources import by_number, is_among
from callcenter.telephony.sip.sparing import Sparing
from callcenter.telephony.sip.transactions import LOG_EVERY_S, PRODUCT
from callcenter.telephony.sip.trunk_book import TrunkBook

log = logging.getLogger(__name__)

WRONG_PER_S, WRONG_BURST = 0.2, 10.0  # passwords that may be wrong, per source


@dataclass(frozen=True)
class Refusal:
    """A final response; `headers` are (name, body)."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()

    def response(self, req: Any) -> Any:
        """To be sent for `req`."""
        return response(req, self.status, self.reason, headers=self.headers)


FORBIDDEN = Refusal(403, "Forbidden")
FULL = Refusal(503, "Service Unavailable", (("Retry-After", "5"),))
TOO_FAST = Refusal(503, "Service Unavailable", (("Retry-After", "1"),))


class Admission:
    """Judges INVITEs, and counts the calls that came in by trunk."""

    def __init__(self, trunks: TrunkBook, gate: Gate) -> None:
        self._trunks, self._gate = trunks, gate
        self._challenges = Challenges(token_bytes(32), PRODUCT)
        self._wrong = Buckets(WRONG_PER_S, WRONG_BURST)
        self._pace: dict[int, Bucket] = {}
        self._trunk_of: dict[str, int] = {}  # leg → trunk
        self._sparing = Sparing(LOG_EVERY_S)
        self.refused: Counter[int] = Counter()  # status → INVITEs since the start

    def judge(self, req: Any, now: float) -> TrunkSpec | Refusal:
        """The trunk that INVITE `req` came by, or how it is refused."""
        host = str(req.getSource()[0])
        spec = self._trunks.trunk_at(req)
        verdict = self._within_limits(spec, now) if spec is not None else self._by_password(req, host, now)
        if isinstance(verdict, Refusal):
            self.refused[verdict.status] += 1
            # Scanners try thousands of numbers. A challenge is the usual way of things.
            if verdict.status != 401 and self._sparing.allows(host, now):
                what = "from no trunk" if verdict is FORBIDDEN else "beyond a trunk's limits"
                number = mask_numbers(str(req.getRURI()))
                log.warning("call %s refused: %s:%s to %s", what, *req.getSource(), number)
        return verdict

    def entered(self, leg_id: str, trunk_id: int) -> None:
        """A call was let in by this trunk."""
        self._trunk_of[leg_id] = trunk_id

    def left(self, leg_id: str) -> None:
        """It has ended. Harmless for legs that did not come in."""
        self._trunk_of.pop(leg_id, None)

    def _by_password(self, req: Any, host: str, now: float) -> TrunkSpec | Refusal:
        asked = [s for s in self._trunks.with_password() if not s.inbound_sources or is_among(host, s.inbound_sources)]
        if not asked:
            return FORBIDDEN
        answers = [str(header.body.body) for header in req.getHFs("authorization")]  # as it was written
        if not answers:
            return self._challenge(host, now)
        if not self._wrong.has(host, 1.0, now):
            return FORBIDDEN
        passwords: dict[str, tuple[str, ...]] = {}
        for spec in asked:
            passwords[spec.inbound_username] = (*passwords.get(spec.inbound_username, ()), spec.inbound_password)
        user = str(req.getRURI().username or "")
        proof = self._challenges.judge(answers[0], "INVITE", user, host, passwords, now)
        if proof.verdict is Verdict.WRONG:
            self._wrong.take(host, 1.0, now)
            return FORBIDDEN
        if proof.verdict is Verdict.STALE:
            return self._challenge(host, now, stale=True)
        self._gate.learn(host, now)
        fitting = [s for s in asked if (s.inbound_username, s.inbound_password) == (proof.username, proof.password)]
        return self._within_limits(by_number(fitting, user), now)

    def _challenge(self, host: str, now: float, stale: bool = False) -> Refusal:
        body = self._challenges.challenge(token_hex(8), host, now, stale=stale)
        return Refusal(401, "Unauthorized", (("WWW-Authenticate", body),))

    def _within_limits(self, spec: TrunkSpec, now: float) -> TrunkSpec | Refusal:
        up = sum(1 for trunk_id in self._trunk_of.values() if trunk_id == spec.trunk_id)
        if spec.inbound_channels and up >= spec.inbound_channels:
            return FULL
        if spec.inbound_cps:
            rate, burst = spec.inbound_cps, max(1.0, 2 * spec.inbound_cps)
            bucket = self._pace.get(spec.trunk_id)
            if bucket is None or (bucket.rate, bucket.burst) != (rate, burst):
                bucket = self._pace[spec.trunk_id] = Bucket.full(rate, burst, now)
            if not bucket.take(1.0, now):
                return TOO_FAST
        return spec
