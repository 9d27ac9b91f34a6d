"""What leads callers into a menu is named, wherever it is set."""

from __future__ import annotations

import pytest

from callcenter.acd.models import Queue
from callcenter.db.session import platform_session, tenant_session
from callcenter.numbers.models import DidNumber
from callcenter.tenancy.actions import open_enterprise
from ivr.models import FlowRow, FlowVersion
from ivr.used import users

EMPTY = {"start": "", "nodes": [], "language": "en"}


@pytest.mark.promise("I2")
def test_numbers_queues_and_other_menus_that_lead_to_a_menu_are_named(database: object) -> None:
    with platform_session() as s:
        tenant = open_enterprise(s, "acme", "Acme", "CN", "Asia/Shanghai", "boss", "correct horse 7", locale="en")
    with tenant_session(tenant) as s:
        main, after = FlowRow(name="Main", draft=EMPTY), FlowRow(name="After hours", draft=EMPTY)
        s.add_all([main, after])
        s.flush()
        goto = {"id": "a", "verb": "goto", "settings": {"flow": after.id}, "ways": {}}
        main.draft = {**EMPTY, "start": "a", "nodes": [goto]}
        old = {**EMPTY, "nodes": [{**goto, "settings": {"flow": main.id}}]}
        s.add(FlowVersion(flow_id=after.id, version=1, flow=old))
        after.published = 1
        s.add(
            DidNumber(
                e164="+862112345678",
                name="Hotline",
                open_to={"kind": "menu", "id": main.id},
                closed_to={"kind": "hang_up"},
                rules=[{"when": "vip", "to": {"kind": "menu", "id": after.id}}],
            )
        )
        s.add(Queue(name="Service", overflow={"after_wait_s": 60, "after_wait": {"kind": "menu", "id": after.id}}))
        s.flush()
        found = users(s)
        assert [(u["kind"], u["name"]) for u in found[main.id]] == [("number", "Hotline"), ("flow", "After hours")]
        assert [(u["kind"], u["name"]) for u in found[after.id]] == [
            ("number", "Hotline"),
            ("queue", "Service"),
            ("flow", "Main"),
        ]
