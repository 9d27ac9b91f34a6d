"""What a page shows of one text's way."""

from __future__ import annotations

import pytest

from callcenter.db.session import tenant_session
from callcenter.errors import NotFound
from smsgateway.models import TextMessage, TextPart
from smsgateway.sending.journey import journey
from tests.smsgateway.sending.conftest import Gateway


@pytest.mark.promise("S2")
def test_a_text_shows_its_route_its_parts_and_what_happened_to_it(gateway: Gateway) -> None:
    send = gateway.sent("Hello", ["13800000001"])
    text = gateway.texts(send.id)["+8613800000001"]
    with tenant_session(gateway.tenant) as db:
        row = db.get_one(TextMessage, text.id)
        row.journey = [{"at": 1_800_000_000.5, "event": "failover", "from": 1, "to": 2}, {"event": "no time"}]
        db.add(TextPart(carrier_id=gateway.carrier, ref="1", message_id=row.id, part=1, code="DELIVRD"))
    with tenant_session(gateway.tenant) as db:
        shown = journey(db, gateway.send(send.id), text.id)
    assert (shown["route_name"], shown["reserved"], shown["body"]) == ("All sms", True, "Hello")
    assert shown["parts"] == [{"part": 1, "state": "submitted", "code": "DELIVRD", "final_at": None}]
    assert [(e["event"], sorted(e)) for e in shown["events"]] == [("failover", ["at", "event"])]


def test_a_text_of_another_send_is_not_shown(gateway: Gateway) -> None:
    first, second = gateway.sent("One", ["13800000001"]), gateway.sent("Two", ["13800000001"])
    text = gateway.texts(first.id)["+8613800000001"]
    with tenant_session(gateway.tenant) as db, pytest.raises(NotFound):
        journey(db, gateway.send(second.id), text.id)
