"""REGISTER with digest (RFC 3261 10.3 and 22, RFC 2617): who is registered, and where."""

from __future__ import annotations

import hashlib
import hmac
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from demo.sip.message import Address, Message, host_of, parameter, response_to, uri_of, user_of

REALM = "demo-carrier"
NONCE_LIFE_S = 300.0
MAX_EXPIRES_S = 3600
_PAIR = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')


@dataclass(frozen=True)
class Binding:
    """Where a registered user is reached until `until` (the caller's clock, seconds)."""

    uri: str
    address: Address
    until: float


class Registrar:
    """The accounts (user → password) and their bindings, one per user."""

    def __init__(self, accounts: Mapping[str, str], rng: random.Random) -> None:
        self._accounts = dict(accounts)
        self._rng = rng
        self._nonces: dict[str, float] = {}
        self._bindings: dict[str, Binding] = {}

    def find(self, user: str, now: float) -> Binding | None:
        """The live binding of `user`."""
        binding = self._bindings.get(user)
        return binding if binding and binding.until > now else None

    def receive(self, request: Message, now: float) -> Message:
        """The response to a REGISTER: 401 with a challenge, 403, or 200 with the binding made or removed."""
        tag = f"{self._rng.getrandbits(48):x}"
        user = user_of(uri_of(request.get("to")))
        if user not in self._accounts:
            return response_to(request, 403, "Forbidden", tag)
        given = {k.lower(): a or b for k, a, b in _PAIR.findall(request.get("authorization").partition(" ")[2])}
        if not given or self._nonces.get(given.get("nonce", ""), 0.0) < now:
            return self._challenge(request, tag, now, stale=bool(given))
        if given.get("username") != user or not self._proves(given, user):
            return response_to(request, 403, "Forbidden", tag)
        return self._bind(request, user, tag, now)

    def _challenge(self, request: Message, tag: str, now: float, *, stale: bool) -> Message:
        self._nonces = {nonce: until for nonce, until in self._nonces.items() if until > now}
        nonce = f"{self._rng.getrandbits(128):032x}"
        self._nonces[nonce] = now + NONCE_LIFE_S
        answer = response_to(request, 401, "Unauthorized", tag)
        challenge = f'Digest realm="{REALM}", nonce="{nonce}", algorithm=MD5, qop="auth"' + ", stale=true" * stale
        answer.headers.append(("www-authenticate", challenge))
        return answer

    def _proves(self, given: Mapping[str, str], user: str) -> bool:
        """The URI is taken as the client wrote it: softphones digest one that differs from the request line."""
        ha1 = _md5(f"{user}:{REALM}:{self._accounts[user]}")
        ha2 = _md5(f"REGISTER:{given.get('uri', '')}")
        middle = f"{given['nonce']}:"
        if given.get("qop"):
            middle += f"{given.get('nc', '')}:{given.get('cnonce', '')}:{given['qop']}:"
        return hmac.compare_digest(_md5(f"{ha1}:{middle}{ha2}"), given.get("response", "").lower())

    def _bind(self, request: Message, user: str, tag: str, now: float) -> Message:
        answer = response_to(request, 200, "OK", tag)
        contact = request.get("contact")
        wish = parameter(contact, "expires") or request.get("expires") or str(MAX_EXPIRES_S)
        expires = min(int(wish) if wish.isascii() and wish.isdigit() else MAX_EXPIRES_S, MAX_EXPIRES_S)
        if contact and expires == 0:
            self._bindings.pop(user, None)
        elif contact and contact != "*":
            uri = uri_of(contact)
            self._bindings[user] = Binding(uri, (request.source[0], host_of(uri)[1]), now + expires)
        if binding := self.find(user, now):
            answer.headers.append(("contact", f"<{binding.uri}>;expires={int(binding.until - now)}"))
        return answer


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
