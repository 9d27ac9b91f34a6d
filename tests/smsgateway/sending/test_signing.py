"""The signature of an enterprise: the usual one, and one that every text must carry."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from callcenter.audit.models import AuditEntry
from callcenter.db.session import tenant_session
from callcenter.errors import InvalidInput
from smsgateway import templates
from smsgateway.sending import signing
from smsgateway.sending.new import NewSend
from smsgateway.sending.preview import preview
from tests.smsgateway.sending.conftest import Gateway


def require(gateway: Gateway, signature: str) -> None:
    with tenant_session(gateway.tenant) as s:
        signing.change(s, gateway.boss, signature=signature, required=True)


@pytest.mark.promise("S1")
def test_the_usual_signature_is_the_enterprises_name_until_it_chooses_one(gateway: Gateway) -> None:
    with tenant_session(gateway.tenant) as s:
        assert signing.signing_of(s, gateway.tenant) == signing.Signing("Acme", False)
        assert signing.change(s, gateway.boss, signature=" 【Acme 安康】 ").usual == "Acme 安康"
        assert signing.change(s, gateway.boss, signature="").usual == "Acme"
        with pytest.raises(InvalidInput) as told:
            signing.change(s, gateway.boss, signature="a{{name}}")
        entries = s.scalars(select(AuditEntry).where(AuditEntry.entity == "text_signature")).all()
    assert list(told.value.fields) == ["signature"]
    assert len(entries) == 2


@pytest.mark.promise("S1")
def test_a_required_signature_stands_before_every_text_whatever_was_asked(gateway: Gateway) -> None:
    require(gateway, "安康")
    assert gateway.ask("Hello").body == "【安康】Hello"
    assert gateway.ask("【安康】Hello", signature="安康").body == "【安康】Hello"
    assert gateway.ask("【Today only】Half price").body == "【安康】【Today only】Half price"
    with pytest.raises(InvalidInput) as told:
        gateway.ask("Hello", signature="Others")
    assert (told.value.code, list(told.value.fields)) == ("signature_required", ["signature"])


@pytest.mark.promise("S1")
def test_a_preview_signs_as_the_send_does_and_refuses_the_same_signatures(gateway: Gateway) -> None:
    new = NewSend(body="【Now】Half price", audience={"numbers": ["13800000001"]}, purpose="service", signature="Ours")
    assert preview(gateway.agent, new)["samples"][0]["body"] == gateway.ask("【Now】Half price", signature="Ours").body
    require(gateway, "安康")
    with pytest.raises(InvalidInput, match="marked fields"):
        preview(gateway.agent, new)


def test_a_signature_that_must_be_there_is_put_once() -> None:
    once = templates.signed("Hello", "安康", always=True)
    assert templates.signed(once, "安康", always=True) == once == "【安康】Hello"
