"""The demo carrier delivers to a page and brings its answers, over a real Valkey."""

from __future__ import annotations

import asyncio

import pytest
import redis

from callcenter import wire
from smsgateway.carriers.demo import ANSWERS, TEXTS, DemoCarrier, faults
from smsgateway.carriers.port import Accepted, Health, Inbound, Listener, Outgoing, Receipt, ReceiptStatus, Rejected
from smsgateway.texts import Kind

pytestmark = pytest.mark.promise("S7")


def outgoing(phone: str) -> Outgoing:
    return Outgoing(1, phone, "10690000", Kind.SMS, "你好", "ucs2", 2, 2e9)


def test_texts_are_delivered_and_answered(redis_client: redis.Redis) -> None:
    receipts: list[Receipt] = []
    texts: list[Inbound] = []
    healths: list[Health] = []

    async def receipt(told: Receipt) -> None:
        receipts.append(told)

    async def run() -> None:
        came = asyncio.Event()

        async def inbound(told: Inbound) -> None:
            texts.append(told)
            came.set()

        carrier = DemoCarrier(Listener(receipt, inbound, healths.append), 0.01)
        await carrier.start()
        accepted = await carrier.submit(outgoing("+8613800138000"))
        assert isinstance(accepted, Accepted) and len(set(accepted.refs)) == 2
        absent = await carrier.submit(outgoing("+8613800138009"))
        assert isinstance(absent, Accepted)
        assert isinstance(await carrier.submit(outgoing("+8613800138008")), Rejected)
        redis_client.rpush(ANSWERS, wire.to_json({"from": "+8613800138000", "to": "10690000", "body": "T"}))
        await asyncio.wait_for(came.wait(), 10)
        await carrier.stop(5)
        assert {(r.ref, r.status) for r in receipts} == {
            *((ref, ReceiptStatus.DELIVERED) for ref in accepted.refs),
            *((ref, ReceiptStatus.FAILED) for ref in absent.refs),
        }

    asyncio.run(run())
    assert [(t.sender, t.to, t.body) for t in texts] == [("+8613800138000", "10690000", "T")]
    delivered = [wire.from_json(raw, dict[str, object]) for raw in redis_client.lrange(TEXTS, 0, -1)]  # type: ignore[union-attr]  # redis' types speak of both clients
    assert [(d["to"], d["body"]) for d in delivered] == [("+8613800138000", "你好")]
    assert [h.up for h in healths] == [True]
    assert faults({"delivery_s": -1}).keys() == {"delivery_s"}
