"""The demo's telephones show the demo's own texts, to the demo only."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from callcenter import wire
from callcenter.db.session import platform_session
from callcenter.events import streams
from smsgateway.carriers.demo import ANSWERS, TEXTS
from tests.web.conftest import Browser, add_user

pytestmark = pytest.mark.promise("S7")


def test_the_page_shows_the_demos_own_texts_only(browser: Callable[[], Browser], enterprise: int) -> None:
    add_user(enterprise, "ann", "agent")
    ann = browser()
    ann.sign_in("acme", "ann")
    assert ann.get("/api/demo-phone").status_code == 404
    with platform_session() as session:
        session.execute(text("UPDATE enterprise SET is_demo = true WHERE id = :t"), {"t": enterprise})
        session.execute(
            text("INSERT INTO text_part (carrier_id, ref, message_id, tenant_id, part) VALUES (1, 'own', 1, :t, 1)"),
            {"t": enterprise},
        )
    for ref in ("own", "of-others"):
        shown: dict[str, object] = {
            "id": ref,
            "to": "+8613800138000",
            "from": "1069",
            "subject": "",
            "body": ref,
            "media": [],
            "at": 1e9,
        }
        streams.client().lpush(TEXTS, wire.to_json(shown))
    assert [t["body"] for t in ann.get("/api/demo-phone").get_json()["items"]] == ["own"]
    answer = {"phone": "+8613800138000", "to": "1069", "body": "Hi"}
    assert ann.post("/api/demo-phone/answers", answer).status_code == 204
    assert ann.post("/api/demo-phone/answers", {**answer, "phone": "x"}).status_code == 422
    assert streams.client().llen(ANSWERS) == 1
