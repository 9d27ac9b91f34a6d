"""From the queue over SMPP to an SMSC that is not ours, and back: texts, money and figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from smsgateway import route_table
from smsgateway.texts import TextState
from tests.peers.smsc_npm import NpmSmsc
from tests.smsgateway.carriers import gateway
from tests.smsgateway.carriers.gateway import PRICE, Running, adds_up, until


def over(smsc: NpmSmsc, name: str = "one", settings: dict[str, Any] | None = None, **more: Any) -> int:
    """A carrier that leads to `smsc`."""
    given = {"host": "127.0.0.1", "port": smsc.port, "system_id": "test", "password": "secret", "again_s": 0.1,
             "throttle_s": 0.1, **(settings or {})}  # fmt: skip
    return gateway.carrier(name, settings=given, **more)


@pytest.mark.interop
@pytest.mark.promise("S7")
async def test_texts_are_sent_paid_and_delivered(
    clean: None, redis_client: redis.Redis, smsc: Callable[..., NpmSmsc], tmp_path: Path
) -> None:
    peer = smsc()
    tenant, carrier = gateway.enterprise(), over(peer)
    numbers = gateway.phones(500)
    send = gateway.queue(tenant, carrier, numbers)
    async with Running([carrier], tmp_path):
        await until(lambda: gateway.states().get("delivered") == 500)
    figures = peer.figures()
    assert (figures["accepted"], figures["recipients"], figures["repeated"]) == (500, 500, [])
    assert figures["receipts_stored"] == 500
    row = gateway.send(send)
    assert (row.state, row.delivered, row.charged_minor) == ("done", 500, 500 * PRICE)
    assert all(t.state == TextState.DELIVERED and t.final_at and t.submitted_at for t in gateway.texts(send).values())
    adds_up()


@pytest.mark.interop
async def test_a_carrier_whose_references_are_read_wrongly_says_so(
    clean: None, redis_client: redis.Redis, smsc: Callable[..., NpmSmsc], tmp_path: Path
) -> None:
    peer = smsc(ids="hex_then_decimal")
    tenant, carrier = gateway.enterprise(), over(peer)
    gateway.queue(tenant, carrier, gateway.phones(20))
    async with Running([carrier], tmp_path):
        await until(
            lambda: (h := route_table.health([carrier])[carrier]) is not None and "change the setting" in h.detail
        )
    assert gateway.states() == {"submitted": 20}  # none is given the receipt of another
    adds_up()
