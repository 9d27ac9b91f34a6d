"""Boards through the API."""

from __future__ import annotations

import pytest

from tests.web.conftest import Browser

FIGURE = {"id": "a", "kind": "figure", "subject": "agents", "metric": "available"}


@pytest.mark.promise("V1")
def test_a_board_is_made_changed_and_deleted(owner: Browser) -> None:
    board = owner.post("/api/boards", {"name": "Floor", "pages": [{"tiles": [FIGURE]}]}).get_json()
    assert board["pages"][0]["tiles"][0]["metric"] == "available"
    changed = owner.patch(f"/api/boards/{board['id']}", {"shared": True, "rotate_s": 30}).get_json()
    assert (changed["shared"], changed["rotate_s"], changed["pages"]) == (True, 30, board["pages"])
    assert [b["name"] for b in owner.get("/api/boards").get_json()["items"]] == ["Floor"]
    assert owner.delete(f"/api/boards/{board['id']}").status_code == 204
    assert owner.get(f"/api/boards/{board['id']}").status_code == 404


def test_a_tile_without_such_a_figure_is_named(owner: Browser) -> None:
    wrong = {**FIGURE, "metric": "service_level"}
    answer = owner.post("/api/boards", {"name": "Floor", "pages": [{"tiles": [FIGURE]}, {"tiles": [wrong]}]})
    assert (answer.status_code, list(answer.get_json()["fields"])) == (422, ["pages.1.tiles.0.metric"])


def test_every_figure_that_is_offered_can_be_put_on_a_board(owner: Browser) -> None:
    figures = owner.get("/api/boards/figures").get_json()["figures"]
    tiles = [
        {"id": f"t{i}", "kind": "figure", "subject": s, "metric": m}
        for i, (s, m) in enumerate((s, m) for s, ms in figures.items() for m in ms)
    ]
    assert owner.post("/api/boards", {"name": "All", "pages": [{"tiles": tiles}]}).status_code == 201
