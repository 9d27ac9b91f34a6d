"""The digest challenge that we give and what a caller answers to it (RFC 3261, section 22; RFC 2617). Pure.

A nonce carries its own time and is sealed with a secret of the process and the caller's address, so that nothing has to
be kept for the many that never come back. It serves for a minute, and every answer to it once.
"""

from __future__ import annotations

import hmac
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import md5, sha256

LIFETIME_S = 60.0
MOST_USED = 50_000
_PARAMETER = re.compile(r'\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^,\s"]*))\s*(?:,|\Z)')
_USER = re.compile(r"sips?:([^@;>]*)@", re.IGNORECASE)


class Verdict(StrEnum):
    """What an answer is worth."""

    RIGHT = "right"
    STALE = "stale"  # the nonce is too old, of another process, or this answer was given before
    WRONG = "wrong"


@dataclass(frozen=True)
class Proof:
    """`username` as claimed, `password` the one that fitted (RIGHT)."""

    verdict: Verdict
    username: str = ""
    password: str = ""


class Challenges:
    """Gives challenges of `realm` and judges the answers."""

    def __init__(self, secret: bytes, realm: str) -> None:
        self._secret, self._realm = secret, realm
        self._used: OrderedDict[tuple[str, str], float] = OrderedDict()  # (nonce, count) → when it ends

    def challenge(self, salt: str, source: str, now: float, *, stale: bool = False, realm: str = "") -> str:
        """The body of a WWW-Authenticate header for a caller at IP `source`. `salt`: anything random; `realm`: if it is
        another than usual."""
        stamp = f"{int(now)}.{salt}"
        nonce = f"{stamp}.{self._seal(stamp, source)}"
        more = ", stale=true" if stale else ""
        return f'Digest realm="{realm or self._realm}", nonce="{nonce}", algorithm=MD5, qop="auth"{more}'

    def judge(
        self, header: str, method: str, uri_user: str, source: str, passwords: Mapping[str, tuple[str, ...]], now: float
    ) -> Proof:
        """What the Authorization header `header` of a request of `method` to `uri_user` is worth. `passwords`: user
        name → the passwords it may have (several trunks may share a name)."""
        given = parameters(header)
        username = given.get("username", "")
        if not _is_sound(given, uri_user):
            return Proof(Verdict.WRONG, username)
        for password in passwords.get(username, ()):
            if _fits(given, _hashed(f"{username}:{self._realm}:{password}"), method):
                break
        else:
            return Proof(Verdict.WRONG, username)
        return Proof(self._age(given, source, now), username, password)

    def judge_phone(
        self, header: str, method: str, uri_user: str, source: str, username: str, ha1: str, now: float
    ) -> Verdict:
        """The same for one user name of whose password only the hash is known (`phones.ha1_of`)."""
        given = parameters(header)
        sound = _is_sound(given, uri_user) and given.get("username") == username
        if not _fits(given, ha1, method) or not sound:
            return Verdict.WRONG
        return self._age(given, source, now)

    def _age(self, given: Mapping[str, str], source: str, now: float) -> Verdict:
        """RIGHT or STALE. Asked last: a stranger who does not know the password learns nothing of nonces."""
        nonce = given.get("nonce", "")
        if not self._is_ours(nonce, source, now) or not self._first_use(nonce, given.get("nc", ""), now):
            return Verdict.STALE
        return Verdict.RIGHT

    def _seal(self, stamp: str, source: str) -> str:
        return hmac.new(self._secret, f"{stamp} {source}".encode(), sha256).hexdigest()[:32]

    def _is_ours(self, nonce: str, source: str, now: float) -> bool:
        stamp, _, seal = nonce.rpartition(".")
        at = stamp.partition(".")[0]
        if not hmac.compare_digest(seal.encode(), self._seal(stamp, source).encode()):
            return False
        return at.isdigit() and -1.0 <= now - int(at) <= LIFETIME_S

    def _first_use(self, nonce: str, count: str, now: float) -> bool:
        while self._used and (len(self._used) >= MOST_USED or next(iter(self._used.values())) < now):
            self._used.popitem(last=False)
        if (nonce, count) in self._used:
            return False
        self._used[nonce, count] = now + LIFETIME_S + 1.0
        return True


def parameters(header: str) -> dict[str, str]:
    """The parameters of a Digest header by lower-case name; empty if it is no digest or can't be read."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "digest":
        return {}
    out: dict[str, str] = {}
    at = 0
    while at < len(rest):
        found = _PARAMETER.match(rest, at)
        if found is None or found.end() == at:
            return {}
        quoted = found[2]
        out[found[1].lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else found[3]
        at = found.end()
    return out


def _is_sound(given: Mapping[str, str], uri_user: str) -> bool:
    """Whether it is a digest of the kind that we asked for, of a request to `uri_user`."""
    named = _USER.match(given.get("uri", ""))
    kind = given.get("algorithm", "MD5").upper() == "MD5" and given.get("qop", "") in ("", "auth")
    return kind and (named is None or named[1] == uri_user)


def _fits(given: Mapping[str, str], ha1: str, method: str) -> bool:
    what = _hashed(f"{method}:{given.get('uri', '')}")
    count = f"{given.get('nc', '')}:{given.get('cnonce', '')}:auth:" if given.get("qop") else ""
    expected = _hashed(f"{ha1}:{given.get('nonce', '')}:{count}{what}")
    return hmac.compare_digest(expected.encode(), given.get("response", "").lower().encode())


def _hashed(text: str) -> str:
    return md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
