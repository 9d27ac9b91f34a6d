"""The signature of an enterprise through the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.conftest import Browser, add_user


@pytest.mark.promise("S1")
def test_a_signature_is_chosen_and_required_by_who_may_and_told_to_who_writes(
    owner: Browser, enterprise: int, browser: Callable[[], Browser]
) -> None:
    assert owner.get("/api/text-settings").get_json()["usual_signature"] == "Acme"
    changed = owner.patch("/api/text-settings", {"signature": "安康", "signature_required": True})
    assert changed.get_json() == {"signature": "安康", "usual_signature": "安康", "signature_required": True}
    wrong = owner.patch("/api/text-settings", {"signature": "x" * 31})
    assert (wrong.status_code, list(wrong.get_json()["fields"])) == (422, ["signature"])
    for name in ("agent", "supervisor"):
        add_user(enterprise, name, name)
        other = browser()
        assert other.sign_in("acme", name).status_code == 200
        options = other.get("/api/texts/options").get_json()
        assert (options["signature"], options["signature_required"]) == ("安康", True)
        assert other.patch("/api/text-settings", {"signature": "Mine"}).status_code == 403
