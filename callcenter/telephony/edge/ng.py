"""rtpengine's control protocol: bencoded dictionaries over UDP, each behind a cookie that names the request.

A request that gets no answer is sent again under the same cookie; rtpengine then repeats its first answer, so nothing
is done twice. Source: rtpengine's documentation, "The ng control protocol".
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from callcenter.errors import Unavailable

_RESEND_AFTER_S = (0.15, 0.3, 0.6, 1.2)


class NgError(Exception):
    """rtpengine answered with an error; the text is its `error-reason`."""


def encode(value: object) -> bytes:
    """`value` (dict with text keys, list, text, bytes, whole number) bencoded. Raises TypeError on anything else."""
    if isinstance(value, bool):
        raise TypeError("bencode has no truth values")
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list | tuple):
        return b"l" + b"".join(encode(v) for v in value) + b"e"
    if isinstance(value, Mapping):
        return b"d" + b"".join(encode(k) + encode(v) for k, v in sorted(value.items())) + b"e"
    raise TypeError(f"cannot bencode {type(value).__name__}")


def decode(data: bytes) -> Any:
    """Bencoded `data` with strings as text. Raises ValueError if it is malformed or has something behind it."""
    try:
        value, end = _decode(data, 0, 0)
    except (IndexError, UnicodeDecodeError) as exc:
        raise ValueError("malformed bencode") from exc
    if end != len(data):
        raise ValueError("malformed bencode: something follows the value")
    return value


def _decode(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth > 32:
        raise ValueError("malformed bencode: nested too deep")
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind == b"l":
        items, at = [], at + 1
        while data[at] != 0x65:
            item, at = _decode(data, at, depth + 1)
            items.append(item)
        return items, at + 1
    if kind == b"d":
        pairs, at = {}, at + 1
        while data[at] != 0x65:
            key, at = _decode(data, at, depth + 1)
            pairs[key], at = _decode(data, at, depth + 1)
        return pairs, at + 1
    colon = data.index(b":", at)
    length = int(data[at:colon])
    if length < 0 or colon + 1 + length > len(data):
        raise ValueError("malformed bencode: string cut short")
    return data[colon + 1 : colon + 1 + length].decode("utf-8", "replace"), colon + 1 + length


class NgClient(asyncio.DatagramProtocol):
    """Requests to one rtpengine. `start` before use, `close` after."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def start(self) -> None:
        """Open the socket. Whether rtpengine is there shows with the first request."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=self._address)
        self._transport = transport

    def close(self) -> None:
        """Close the socket; requests under way end with Unavailable."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Unavailable("The connection to rtpengine was closed."))

    def datagram_received(self, data: bytes, addr: object) -> None:
        cookie, _, body = data.partition(b" ")
        future = self._waiting.get(cookie.decode("ascii", "replace"))
        if future is None or future.done():
            return
        try:
            answer = decode(body)
        except ValueError as exc:
            future.set_exception(NgError(str(exc)))
            return
        if isinstance(answer, dict):
            future.set_result(answer)
        else:
            future.set_exception(NgError("rtpengine answered with no dictionary"))

    def error_received(self, exc: Exception) -> None:
        """ICMP unreachable: rtpengine is not there now; the repetition tries again."""

    async def request(self, command: str, timeout_s: float = 5.0, **fields: object) -> dict[str, Any]:
        """Carry out `command`; underscores in the names of `fields` stand for hyphens.

        Raises Unavailable without an answer within `timeout_s`, NgError if rtpengine refuses.
        """
        if self._transport is None:
            raise Unavailable("The connection to rtpengine is not open.")
        cookie = secrets.token_hex(8)
        body = encode({"command": command, **{k.replace("_", "-"): v for k, v in fields.items()}})
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[cookie] = future
        sender = asyncio.create_task(self._send(cookie.encode() + b" " + body))
        try:
            answer = await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            raise Unavailable(f"rtpengine did not answer within {timeout_s:.0f} s.") from None
        finally:
            sender.cancel()
            del self._waiting[cookie]
        if answer.get("result") == "error":
            raise NgError(str(answer.get("error-reason", "no reason given")))
        return answer

    async def _send(self, datagram: bytes) -> None:
        for pause_s in (*_RESEND_AFTER_S, *(1.2,) * 10):
            if self._transport is not None:
                self._transport.sendto(datagram)
            await asyncio.sleep(pause_s)
