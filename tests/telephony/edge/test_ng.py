"""rtpengine's control protocol: bencode and repetition of requests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.telephony.edge.ng import NgClient, NgError, decode, encode

VALUES = st.recursive(
    st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(VALUES)
def test_bencode_gives_back_what_it_was_given(value: object) -> None:
    assert decode(encode(value)) == value


def test_bencode_writes_keys_in_order() -> None:
    assert encode({"b": 1, "a": ["x", 2]}) == b"d1:al1:xi2ee1:bi1ee"


@given(st.binary(max_size=60))
def test_malformed_bencode_is_a_value_error(data: bytes) -> None:
    try:
        decode(data)
    except ValueError:
        pass


def test_lost_requests_are_sent_again_under_the_same_cookie() -> None:
    class Deaf(asyncio.DatagramProtocol):
        """Hears every third datagram and refuses the command "no"."""

        cookies: list[bytes] = []

        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            cookie, _, body = data.partition(b" ")
            self.cookies.append(cookie)
            if len(self.cookies) % 3 == 0:
                refused = decode(body)["command"] == "no"
                answer = {"result": "error", "error-reason": "because"} if refused else {"result": "pong"}
                self.transport.sendto(b"other d6:result4:evile", addr)
                self.transport.sendto(cookie + b" " + encode(answer), addr)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        transport, deaf = await loop.create_datagram_endpoint(Deaf, local_addr=("127.0.0.1", 0))
        client = NgClient(*transport.get_extra_info("sockname"))
        await client.start()
        assert await client.request("ping") == {"result": "pong"}
        assert len(set(deaf.cookies)) == 1
        with pytest.raises(NgError, match="because"):
            await client.request("no")
        client.close()
        transport.close()

    asyncio.run(scenario())
