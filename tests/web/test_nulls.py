"""NUL characters at the door."""

from __future__ import annotations

from tests.web.conftest import Browser
from web.nulls import null_at


def test_a_nul_is_found_wherever_it_stands() -> None:
    assert null_at({"a": [{"b": "x"}, {"b": "x\x00"}]}) == "a.1.b"
    assert null_at({"a\x00": 1}) == "body"
    assert null_at(["x", {"y": 1}]) == ""


def test_a_text_with_a_nul_names_its_field_and_changes_nothing(owner: Browser) -> None:
    answer = owner.post("/api/lists", {"name": "Au\x00tumn", "country": "CN"})
    assert (answer.status_code, list(answer.get_json()["fields"])) == (422, ["name"])
    assert owner.get("/api/lists?search=%00").status_code == 422
    assert owner.get("/api/lists").get_json()["total"] == 0
