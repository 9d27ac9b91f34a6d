"""The knowledge base through the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from callcenter.acd.models import Queue
from callcenter.db.session import tenant_session
from dialer.models import Campaign
from tests.web.conftest import Browser, add_user

pytestmark = pytest.mark.promise("A4")
Json = dict[str, Any]
ARTICLES = "/api/knowledge/articles"


@pytest.fixture
def agent(browser: Callable[[], Browser], enterprise: int) -> Browser:
    add_user(enterprise, "anna", "agent")
    b = browser()
    assert b.sign_in("acme", "anna").status_code == 200
    return b


def write(b: Browser, title: str, body: str = "Words.", *, publish: bool = True, **more: Any) -> Json:
    answer = b.post(ARTICLES, {"title": title, "body": body, **more})
    assert answer.status_code == 201, answer.get_json()
    made: Json = answer.get_json()
    if publish:
        answer = b.post(f"{ARTICLES}/{made['id']}/publish")
        assert answer.status_code == 200, answer.get_json()
        made = answer.get_json()
    return made


def titles(b: Browser, path: str = ARTICLES) -> list[str]:
    answer = b.get(path)
    assert answer.status_code == 200, answer.get_json()
    return [a["title"] for a in answer.get_json()["items"]]


def test_an_agent_reads_what_is_published_and_writes_nothing(owner: Browser, agent: Browser) -> None:
    hours = write(owner, "Opening hours", "## Hours\n**Nine** to five.", tags=["time", " Time "])
    draft = write(owner, "Refunds", publish=False)
    assert titles(agent) == ["Opening hours"] and titles(owner) == ["Opening hours", "Refunds"]
    found = agent.get(f"{ARTICLES}/{hours['id']}").get_json()
    assert (found["body"], found["tags"], found["state"]) == ("## Hours\n**Nine** to five.", ["Time"], "published")
    assert agent.get(f"{ARTICLES}/{draft['id']}").status_code == 404
    for method, path in [
        ("POST", ARTICLES), ("PATCH", f"{ARTICLES}/{hours['id']}"), ("DELETE", f"{ARTICLES}/{hours['id']}"),
        ("POST", f"{ARTICLES}/{hours['id']}/withdraw"), ("POST", "/api/knowledge/categories"),
        ("GET", f"{ARTICLES}/{hours['id']}/versions"), ("GET", "/api/knowledge/places"),
    ]:  # fmt: skip
        assert agent.call(method, path, None if method == "GET" else {}).status_code == 403, path
    assert owner.post(f"{ARTICLES}/{hours['id']}/withdraw").get_json()["state"] == "draft"
    assert titles(agent) == []


def test_a_wrong_field_is_named_with_its_remedy(owner: Browser) -> None:
    wrong: list[tuple[Json, str]] = [
        ({}, "title"), ({"title": "  "}, "title"), ({"title": "x" * 121}, "title"),
        ({"title": "A", "body": "x" * 40_001}, "body"),
        ({"title": "A", "tags": ["x" * 31]}, "tags"), ({"title": "A", "category_id": 4711}, "category_id"),
        ({"title": "A", "campaign_ids": [4711]}, "campaign_ids"), ({"title": "A", "queue_ids": [4711]}, "queue_ids"),
        ({"title": "A", "valid_until": "soon"}, "valid_until"),
    ]  # fmt: skip
    for given, field in wrong:
        answer = owner.post(ARTICLES, given)
        assert (answer.status_code, list(answer.get_json()["fields"])) == (422, [field]), given
    assert titles(owner) == []
    empty = write(owner, "Empty", "", publish=False)
    answer = owner.post(f"{ARTICLES}/{empty['id']}/publish")
    assert (answer.status_code, list(answer.get_json()["fields"])) == (422, ["body"])


def test_who_saves_over_somebody_elses_change_is_told_and_an_old_version_comes_back(owner: Browser) -> None:
    article = write(owner, "Hours", "Nine to five.")
    path = f"{ARTICLES}/{article['id']}"
    assert owner.patch(path, {"revision": 1, "body": "Nine to six."}).get_json()["revision"] == 2
    late = owner.patch(path, {"revision": 1, "body": "Never."})
    assert (late.status_code, late.get_json()["code"], late.get_json()["params"]["revision"]) == (
        409,
        "knowledge.changed",
        2,
    )
    versions = owner.get(f"{path}/versions").get_json()
    assert [(v["version"], v["body"]) for v in versions["items"]] == [(2, "Nine to six."), (1, "Nine to five.")]
    back = owner.post(f"{path}/versions/1/restore", {"revision": 2})
    assert (back.get_json()["body"], back.get_json()["revision"]) == ("Nine to five.", 3)
    assert owner.post(f"{path}/versions/9/restore", {"revision": 3}).status_code == 404
    assert owner.post(f"{path}/versions/2/restore", {"revision": 2}).status_code == 409
    assert owner.delete(path).status_code == 204 and owner.get(path).status_code == 404


def test_views_are_counted_and_each_user_has_one_vote(owner: Browser, agent: Browser) -> None:
    path = f"{ARTICLES}/{write(owner, 'Hours')['id']}"
    for b, helped, after in [
        (agent, True, (1, 0)), (owner, False, (1, 1)), (agent, False, (0, 2)), (owner, None, (0, 1)),
    ]:  # fmt: skip
        found = b.call("PUT", f"{path}/vote", {"helped": helped}).get_json()
        assert (found["helped"], found["not_helped"], found["vote"]) == (*after, helped)
    assert agent.post(f"{path}/views").status_code == 204
    found = owner.get(path).get_json()
    assert (found["views"], found["vote"]) == (1, None)
    assert agent.get(path).get_json()["vote"] is False


def test_a_call_is_offered_the_articles_of_its_campaign_and_queue_first(
    owner: Browser, agent: Browser, enterprise: int
) -> None:
    with tenant_session(enterprise) as s:
        campaign, queue = Campaign(name="Autumn", mode="preview"), Queue(name="Service")
        s.add_all([campaign, queue])
        s.flush()
        ids = campaign.id, queue.id
    places = owner.get("/api/knowledge/places").get_json()
    assert (places["campaigns"], places["queues"]) == (
        [{"id": ids[0], "name": "Autumn"}], [{"id": ids[1], "name": "Service"}],
    )  # fmt: skip
    write(owner, "A price list", "各种价格 prices")
    write(owner, "Price of autumn", "秋季价格", campaign_ids=[ids[0]])
    write(owner, "Router", "It blinks.", queue_ids=[ids[1]])
    write(owner, "Price draft", publish=False, campaign_ids=[ids[0]])
    for query, found in [
        (f"campaign_id={ids[0]}", ["Price of autumn", "A price list", "Router"]),
        (f"queue_id={ids[1]}&campaign_id=", None),
        (f"queue_id={ids[1]}", ["Router", "A price list", "Price of autumn"]),
        (f"campaign_id={ids[0]}&search=价格", ["Price of autumn", "A price list"]),
        ("search=blink", ["Router"]),
        ("campaign_id=4711", ["A price list", "Price of autumn", "Router"]),
    ]:
        path = f"/api/knowledge/suggestions?{query}"
        if found is None:
            assert agent.get(path).status_code == 422
        else:
            assert titles(agent, path) == found
    page = agent.get("/api/knowledge/suggestions?per_page=2&page=2").get_json()
    assert (len(page["items"]), page["total"]) == (1, 3)
    assert agent.get("/api/knowledge/suggestions?per_page=2&page=9").get_json()["total"] == 3


def test_categories_hold_articles_and_say_why_they_stay(owner: Browser, agent: Browser) -> None:
    made = owner.post("/api/knowledge/categories", {"name": "Products"}).get_json()
    below = owner.post("/api/knowledge/categories", {"name": "Prices", "parent_id": made["id"]}).get_json()
    assert (below["path"], below["depth"]) == ("Products/Prices", 1)
    write(owner, "Price list", category_id=below["id"])
    write(owner, "Loose")
    write(owner, "Draft", publish=False, category_id=made["id"])
    tree = agent.get("/api/knowledge/categories").get_json()
    assert [(c["name"], c["reached"]) for c in tree["tree"]] == [("Products", 1), ("Prices", 1)]
    assert (tree["all"], tree["uncategorised"]) == (2, 1)
    assert titles(owner, f"{ARTICLES}?category_id={made['id']}") == ["Draft", "Price list"]
    assert titles(owner, f"{ARTICLES}?category_id={made['id']}&state=draft") == ["Draft"]
    assert titles(owner, f"{ARTICLES}?uncategorised=true") == ["Loose"]
    stays = owner.delete(f"/api/knowledge/categories/{made['id']}")
    assert (stays.status_code, stays.get_json()["code"]) == (409, "knowledge.category_in_use")
    assert (stays.get_json()["params"]["categories"], stays.get_json()["params"]["named"]) == (1, ["Draft"])
    moved = owner.patch(f"/api/knowledge/categories/{below['id']}", {"parent_id": None, "name": "All prices"})
    assert moved.get_json()["path"] == "All prices"
    taken = owner.patch(f"/api/knowledge/categories/{below['id']}", {"name": "Products"})
    assert (taken.status_code, taken.get_json()["code"]) == (422, "knowledge.category_taken")
    assert owner.get("/api/knowledge/tags").get_json() == {"tags": []}
