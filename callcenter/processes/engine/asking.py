"""Asks other systems on behalf of menus (`calls.control.Http`): bounded in time and size, kept from our own network.

An enterprise writes the address, so it is a stranger's: only http and https to addresses of the public internet, judged
after the name was resolved and for the very connection that is made; no redirect leads to another host. Where the other
system stands in the operator's own network, CALLCENTER_HTTP_ALLOW_PRIVATE says so: "1" for all private and loopback
addresses, or networks and hosts by commas ("10.1.0.0/16,crm.example.internal").
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import socket
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from callcenter.calls.control import Http, HttpDone

log = logging.getLogger(__name__)
MOST_BYTES = 256 * 1024
MOST_VALUE = 1000  # characters of one field
MOST_S = 30.0
MOST_REDIRECTS = 3
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_LARGE = 16 * 1024  # an answer beyond is read in a thread
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "expect"})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

IP = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(OSError):
    """An address that menus may not ask."""


class _Wrong(Exception):
    """The answer can't be used; the text is the error's name."""


class Guard:
    """Which addresses may be asked. `allowed` is the value of CALLCENTER_HTTP_ALLOW_PRIVATE."""

    def __init__(self, allowed: str) -> None:
        self._all = allowed.strip() == "1"
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._hosts: set[str] = set()
        for word in (w.strip() for w in allowed.split(",")):
            try:
                self._networks.append(ipaddress.ip_network(word, strict=False))
            except ValueError:
                if word and word != "1":
                    self._hosts.add(word.lower())

    def allows(self, host: str, address: str) -> bool:
        """Whether `address`, to which `host` resolved, may be asked."""
        ip = _inner(ipaddress.ip_address(address.split("%")[0]))
        if host.lower().rstrip(".") in self._hosts or any(ip in n for n in self._networks if n.version == ip.version):
            return True
        if ip.is_global and not ip.is_multicast:
            return True
        # Link-local addresses are where clouds hand out their credentials: never without being named.
        return self._all and (ip.is_private or ip.is_loopback) and not (ip.is_link_local or ip.is_unspecified)


def _inner(ip: IP) -> IP:
    """The IPv4 address that an IPv6 one leads to, if it does."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip.sixtofour is not None:
            return ip.sixtofour
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


class _GuardedResolver(AbstractResolver):
    """Names into addresses, without those that may not be asked."""

    def __init__(self, guard: Guard) -> None:
        self._guard, self._inner = guard, ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        kept = [r for r in found if self._guard.allows(host, r["host"])]
        if not kept:
            raise Refused(f"{host} is not on the public internet")
        return kept

    async def close(self) -> None:
        await self._inner.close()


class Asking:
    """Carries out `Http`. One for the engine; its connections are kept and shared."""

    def __init__(self, allow_private: str | None = None) -> None:
        given = os.environ.get("CALLCENTER_HTTP_ALLOW_PRIVATE", "") if allow_private is None else allow_private
        self._guard = Guard(given)
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, asked: Http) -> HttpDone:
        """The answer, within `timeout_s` (30 s at most). Never raises; `error` is one of bad_request, refused_address,
        unreachable, timeout, redirect, too_large, not_json. A status that is no success is no error of ours."""
        try:
            async with asyncio.timeout(min(max(asked.timeout_s, 0.1), MOST_S)):
                status, body = await self._exchange(asked)
                return await _read(asked, status, body)
        except TimeoutError:
            return HttpDone(asked.name, 0, {}, "timeout")
        except _Wrong as wrong:
            return HttpDone(asked.name, 0, {}, str(wrong))
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError, TypeError):
            return HttpDone(asked.name, 0, {}, "bad_request")
        except (aiohttp.ClientError, OSError) as error:
            refused = isinstance(error, Refused) or isinstance(error.__cause__, Refused)
            log.warning("a menu's request %s: %s", "was refused" if refused else "failed", error)
            return HttpDone(asked.name, 0, {}, "refused_address" if refused else "unreachable")

    async def close(self) -> None:
        """End the connections."""
        if self._session is not None:
            await self._session.close()

    async def _exchange(self, asked: Http) -> tuple[int, bytes]:
        url = URL(asked.url)
        first = url
        method = asked.method.upper()
        if method not in METHODS:
            raise ValueError(method)
        body: bytes | None = asked.body.encode() if asked.body and method != "GET" else None
        headers = _headers(asked.headers, body)
        for _ in range(MOST_REDIRECTS + 1):
            self._check(url)
            async with self._open().request(method, url, headers=headers, data=body, allow_redirects=False) as answer:
                if answer.status not in (301, 302, 303, 307, 308) or "Location" not in answer.headers:
                    return answer.status, await _bounded(answer)
                url = url.join(URL(answer.headers["Location"]))
                to_https = first.scheme == "http" and url.scheme == "https" and url.port == 443
                if url.host != first.host or not (to_https or (url.scheme, url.port) == (first.scheme, first.port)):
                    raise _Wrong("redirect")
                if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):
                    method, body = "GET", None
                    headers.pop("Content-Type", None)
        raise _Wrong("redirect")

    def _check(self, url: URL) -> None:
        if url.scheme not in ("http", "https") or not url.host or url.user is not None:
            raise ValueError("http or https, without a name and password in it")
        try:
            ipaddress.ip_address(url.host.split("%")[0])
        except ValueError:
            return  # a name: judged when it is resolved
        if not self._guard.allows(url.host, url.host):
            raise Refused(f"{url.host} is not on the public internet")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=_GuardedResolver(self._guard), limit=200, limit_per_host=20, ttl_dns_cache=60
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=MOST_S),
                trust_env=False,
            )
        return self._session


def _headers(given: Mapping[str, str], body: bytes | None) -> dict[str, str]:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "callcenter"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    known = {name.lower(): name for name in headers}
    for name, value in given.items():
        if name.lower() in _OURS:
            continue
        headers.pop(known.get(name.lower(), ""), None)
        headers[name] = value
    return headers


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    if (answer.content_length or 0) > MOST_BYTES:
        raise _Wrong("too_large")
    parts = bytearray()
    async for chunk in answer.content.iter_chunked(16 * 1024):
        parts += chunk
        if len(parts) > MOST_BYTES:
            raise _Wrong("too_large")
    return bytes(parts)


async def _read(asked: Http, status: int, body: bytes) -> HttpDone:
    if not asked.fields:
        return HttpDone(asked.name, status, {})
    try:
        if len(body) > _LARGE:
            document = await asyncio.to_thread(msgspec.json.decode, body)
        else:
            document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return HttpDone(asked.name, status, {}, "not_json")
    found = {variable: text_at(document, path) for variable, path in asked.fields.items()}
    return HttpDone(asked.name, status, {variable: text for variable, text in found.items() if text is not None})


def text_at(document: Any, path: str) -> str | None:
    """What stands in `document` at `path` ("customer.orders.0.state") as text; None if nothing does. Pure.

    Numbers and truth as JSON has them, null as the empty text, objects and lists as JSON; 1000 characters at most."""
    here = document
    for step in path.split(".") if path else ():
        if isinstance(here, dict) and step in here:
            here = here[step]
        elif isinstance(here, list) and step.isascii() and step.isdigit() and int(step) < len(here):
            here = here[int(step)]
        else:
            return None
    if here is None:
        return ""
    text = here if isinstance(here, str) else json.dumps(here, ensure_ascii=False, separators=(",", ":"))
    return text[:MOST_VALUE]
