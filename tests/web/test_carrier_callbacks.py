"""What HTTP carriers and MMSCs post: stored before it is acknowledged, believed by the token only, once whatever comes
twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, text

from callcenter.db.session import platform_session
from smsgateway.inbound.models import InboundText
from smsgateway.models import ParkedReceipt
from tests.smsgateway.carriers import gateway
from tests.web.conftest import Browser

pytestmark = pytest.mark.promise("S7")
TOKEN = "t0ken-of-the-carrier"
HTTP = {
    "url": "https://carrier.test/send", "callback_token": TOKEN, "receipts_finder": "reports",
    "receipt_statuses": "delivered: 0\nunder_way: 1",
}  # fmt: skip


def submitted(carrier_id: int, tenant: int, ref: str) -> int:
    """A send with one text that the carrier took under `ref`."""
    send_id = gateway.queue(tenant, carrier_id, ["+8613800138000"])
    with platform_session() as session:
        message = session.scalar(
            text(
                "UPDATE text_message SET state = 'submitted', submitted_at = now(), charged_minor = price_minor"
                " WHERE send_id = :s RETURNING id"
            ),
            {"s": send_id},
        )
        session.execute(
            text("INSERT INTO text_part (carrier_id, ref, message_id, tenant_id, part) VALUES (:c, :r, :m, :t, 1)"),
            {"c": carrier_id, "r": ref, "m": message, "t": tenant},
        )
        session.execute(text("UPDATE text_send SET queued = 0, submitted = 1 WHERE id = :s"), {"s": send_id})
    return send_id


@pytest.mark.parametrize("path", ["receipts", "texts", "mm7"])
def test_without_the_token_there_is_nothing(browser: Callable[[], Browser], enterprise: int, path: str) -> None:
    carrier = gateway.carrier("web", "http", settings=HTTP)
    silent = gateway.carrier("silent", "http", settings={"url": "https://x.test/"})
    b = browser()
    for where in (f"{carrier}/wrong", f"{carrier}/%00", f"{silent}/None", f"999/{TOKEN}"):
        assert b.client.post(f"/api/carrier-callbacks/{where}/{path}", json={}).status_code == 404


def test_a_receipt_ends_its_text_once_and_an_unknown_one_is_kept(
    browser: Callable[[], Browser], enterprise: int
) -> None:
    carrier = gateway.carrier("web", "http", settings=HTTP)
    with platform_session() as session:
        gateway.bookings.top_up(session, enterprise, "sms", 1000, key="t")
    send_id = submitted(carrier, enterprise, "ab1")
    b = browser()

    def post(*reports: Any) -> Any:
        return b.client.post(f"/api/carrier-callbacks/{carrier}/{TOKEN}/receipts", json={"reports": list(reports)})

    assert post({"id": "AB1", "status": 1}).data == b"OK"
    assert gateway.states(send_id) == {"submitted": 1}
    for _ in range(2):
        assert post({"id": "AB1", "status": 0}, {"id": "later", "status": 0}).status_code == 200
    assert post({"id": "AB1", "status": "E5"}).status_code == 200
    assert gateway.states(send_id) == {"delivered": 1}
    assert (gateway.send(send_id).delivered, gateway.send(send_id).submitted) == (1, 0)
    with platform_session() as session:
        assert session.scalars(select(ParkedReceipt.ref).distinct()).all() == ["later"]


def test_a_text_comes_in_once(browser: Callable[[], Browser], enterprise: int) -> None:
    carrier = gateway.carrier("web", "http", settings=HTTP, tenant_id_for_inbound=enterprise)
    b = browser()
    address = f"/api/carrier-callbacks/{carrier}/{TOKEN}/texts"
    for _ in range(2):
        assert b.client.get(f"{address}?from=%2B8613900139000&to=1069&text=%E4%BD%A0%E5%A5%BD&id=7").data == b"OK"
    assert b.client.post(address, data=b"\xff\xfe nothing", content_type="text/plain").status_code == 200
    with platform_session() as session:
        assert session.scalar(select(func.count()).select_from(InboundText)) == 1
        assert session.scalars(select(InboundText.body)).one() == "你好"


def test_an_mmsc_is_answered_in_its_own_words(browser: Callable[[], Browser], enterprise: int) -> None:
    settings = {"url": "https://mmsc.test/", "vasp_id": "acme", "callback_token": TOKEN}
    carrier = gateway.carrier("mmsc", "mm7", settings=settings)
    with platform_session() as session:
        gateway.bookings.top_up(session, enterprise, "sms", 1000, key="t")
    send_id = submitted(carrier, enterprise, "m9")
    b = browser()
    report = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><DeliveryReportReq xmlns="urn:x">'
        "<MessageID>M9</MessageID><MMStatus>Expired</MMStatus></DeliveryReportReq></e:Body></e:Envelope>"
    )
    address = f"/api/carrier-callbacks/{carrier}/{TOKEN}/mm7"
    answer = b.client.post(address, data=report, content_type="text/xml")
    assert answer.status_code == 200 and b"DeliveryReportRsp" in answer.data and b">1000<" in answer.data
    assert gateway.states(send_id) == {"expired": 1}
    assert b.client.post(address, data="<html>", content_type="text/html").status_code == 400
