"""Answers to a digest challenge (RFC 3261, section 22), computed by Sippy."""

from __future__ import annotations

from typing import Any

from callcenter.telephony.ports import TrunkSpec

_CHALLENGES = {401: ("www-authenticate", "Authorization"), 407: ("proxy-authenticate", "Proxy-Authorization")}


def authorization(resp: Any, spec: TrunkSpec, method: str, uri: str, body: str, only_if_stale: bool) -> str | None:
    """The header line that answers the challenge in `resp`, or None if the trunk has no user name, no challenge is one
    we can answer, or (`only_if_stale`) the refused credentials were wrong and not merely old."""
    if not spec.username:
        return None
    asked, answered = _CHALLENGES[resp.scode]
    for challenge in resp.getHFBodys(asked):
        stale = any(name == "stale" and value.lower() == "true" for name, value in challenge.otherparams)
        if only_if_stale and not stale:
            continue
        supported, qop = challenge.supportedAlgorithm()
        if supported:
            hashed = body if qop == "auth-int" else None
            return f"{answered}: {challenge.genAuthHF(spec.username, spec.password, method, uri, hashed, qop)}"
    return None
