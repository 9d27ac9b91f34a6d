"""The body of an HTTP answer, whole, as far as anybody may make us read."""

from __future__ import annotations

import aiohttp

from smsgateway.carriers.http_words import MAX_ANSWER


async def body(answer: aiohttp.ClientResponse) -> bytes:
    """The first MAX_ANSWER bytes of the body, however many pieces it comes in. Raises what aiohttp raises."""
    pieces, size = [], 0
    while size < MAX_ANSWER and (piece := await answer.content.read(MAX_ANSWER - size)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)
