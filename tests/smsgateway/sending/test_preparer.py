"""From an audience to texts."""

from __future__ import annotations

from tests.smsgateway.sending.conftest import PRICE, Gateway


def test_a_single_text_is_queued_with_its_price_reserved(gateway: Gateway) -> None:
    send = gateway.sent("Hello {{name|you}}")
    assert (send.state, send.asked, send.queued) == ("sending", 1, 1)
    message = gateway.texts(send.id)["+8613800000001"]
    assert (message.state, message.body, message.encoding, message.segments) == ("queued", "Hello you", "gsm7", 1)
    assert (message.sender, message.carrier_id, message.price_minor) == ("+8610690001", gateway.carrier, PRICE)
    assert gateway.money() == (1_000_000 - PRICE, PRICE)
    gateway.check(send.id)
