"""Users, roles and departments through the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from callcenter.auth.models import Role, User, UserRole
from callcenter.auth.permissions import PERMISSIONS
from callcenter.db.session import tenant_session
from tests.web.conftest import PASSWORD, Browser, add_user

New = Callable[[], Browser]


@pytest.fixture
def admin(browser: New, enterprise: int) -> Browser:
    add_user(enterprise, "adam", "admin")
    b = browser()
    b.sign_in("acme", "adam")
    return b


def role_id(tenant: int, key: str) -> int:
    with tenant_session(tenant) as s:
        return s.query(Role).filter_by(key=key).one().id


def new_user(**more: Any) -> dict[str, Any]:
    return {"username": "li.wei", "name": "Li Wei", "password": "a long one 9", **more}


def named(owner: Browser, query: str) -> list[str]:
    return [u["username"] for u in owner.get(f"/api/users?{query}").get_json()["items"]]


@pytest.mark.promise("E4")
def test_a_new_user_signs_in_with_the_roles_given(owner: Browser, browser: New, enterprise: int) -> None:
    made = owner.post("/api/users", new_user(role_ids=[role_id(enterprise, "agent")], service_number="010 5550 1234"))
    assert made.status_code == 201, made.get_json()
    assert made.get_json()["service_number"] == "+861055501234"
    assert [r["key"] for r in made.get_json()["roles"]] == ["agent"]
    b = browser()
    assert b.sign_in("acme", "li.wei", "a long one 9").status_code == 200
    assert b.get("/api/users").status_code == 403


@pytest.mark.promise("E4")
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"username": "Has Space"}, "username"),
        ({"username": "boss"}, "username"),
        ({"password": "short"}, "password"),
        ({"service_number": "12"}, "service_number"),
        ({"department_id": 99}, "department_id"),
        ({"role_ids": [99]}, "role_ids"),
        ({"name": "  "}, "name"),
        ({"name": ""}, "name"),
    ],
)
def test_what_is_wrong_with_a_user_is_said_at_the_field(owner: Browser, wrong: dict[str, Any], field: str) -> None:
    answer = owner.post("/api/users", new_user(**wrong))
    assert answer.status_code in (409, 422)
    assert list(answer.get_json()["fields"]) == [field]


@pytest.mark.promise("E4")
def test_users_are_listed_by_state_and_found_by_name_user_name_and_number(owner: Browser) -> None:
    li = owner.post("/api/users", new_user(service_number="+861055501234")).get_json()["id"]
    owner.post("/api/users", new_user(username="wang_1", name="Wang Fang", enabled=False))
    assert named(owner, "") == ["boss", "li.wei", "wang_1"]
    assert named(owner, "state=disabled") == ["wang_1"]
    assert named(owner, "state=enabled") == ["boss", "li.wei"]
    assert named(owner, "search=fang") == ["wang_1"]
    assert named(owner, "search=5550") == ["li.wei"]
    assert named(owner, "search=%25") == [], "a per cent sign is no wildcard"
    page = owner.get("/api/users?per_page=1&page=2").get_json()
    assert [page["total"], page["page"], page["items"][0]["id"]] == [3, 2, li]
    assert owner.get("/api/users?per_page=201").status_code == 422


@pytest.mark.promise("E4")
def test_disabling_ends_sessions_and_deleting_leaves_the_audit_log(
    owner: Browser, browser: New, enterprise: int
) -> None:
    user_id = add_user(enterprise, "ann", "agent")
    ann = browser()
    ann.sign_in("acme", "ann")
    assert owner.patch(f"/api/users/{user_id}", {"enabled": False}).status_code == 200
    assert ann.get("/api/auth/me").status_code == 401
    owner.patch(f"/api/users/{user_id}", {"enabled": True})
    assert ann.get("/api/auth/me").status_code == 401, "enabling does not bring an old session back"
    assert owner.delete(f"/api/users/{user_id}").status_code == 204
    assert owner.get(f"/api/users/{user_id}").status_code == 404
    log = owner.get("/api/audit?entity=user&action=delete").get_json()["items"]
    assert log[0]["before"]["username"] == "ann" and log[0]["actor_name"] == "boss"


@pytest.mark.promise("E4")
def test_a_new_password_unlocks_and_ends_sessions(owner: Browser, browser: New, enterprise: int) -> None:
    user_id = add_user(enterprise, "ann", "agent")
    ann = browser()
    ann.sign_in("acme", "ann")
    for _ in range(5):
        browser().sign_in("acme", "ann", "wrong")
    assert owner.post(f"/api/users/{user_id}/password", {"password": "short"}).status_code == 422
    assert owner.post(f"/api/users/{user_id}/password", {"password": "a new one 10"}).status_code == 204
    assert ann.get("/api/auth/me").status_code == 401
    assert browser().sign_in("acme", "ann", "a new one 10").status_code == 200


@pytest.mark.promise("E4")
def test_the_owner_stays(owner: Browser, admin: Browser, enterprise: int) -> None:
    with tenant_session(enterprise) as s:
        boss = s.query(User).filter_by(username="boss").one().id
    assert owner.delete(f"/api/users/{boss}").get_json()["code"] == "owner_stays"
    assert owner.patch(f"/api/users/{boss}", {"role_ids": []}).get_json()["code"] == "owner_stays"
    assert owner.patch(f"/api/users/{boss}", {"enabled": False}).status_code == 409
    assert admin.patch(f"/api/users/{boss}", {"name": "Fool"}).get_json()["code"] == "owner_only"
    assert admin.post(f"/api/users/{boss}/password", {"password": PASSWORD}).get_json()["code"] == "owner_only"
    assert admin.delete(f"/api/users/{boss}").status_code == 409
    assert owner.patch(f"/api/users/{boss}", {"name": "The Boss"}).status_code == 200


def test_nobody_gives_more_than_they_have(admin: Browser, enterprise: int) -> None:
    owner_role, supervisor = role_id(enterprise, "owner"), role_id(enterprise, "supervisor")
    assert admin.post("/api/users", new_user(role_ids=[owner_role])).get_json()["code"] == "beyond_own_rights"
    assert admin.post("/api/users", new_user(role_ids=[supervisor])).status_code == 201
    made = admin.post("/api/roles", {"name": "Spy", "permissions": ["audit.read"]})
    assert made.get_json()["code"] == "beyond_own_rights"
    assert made.get_json()["params"] == {"missing": ["audit.read"]}
    gave = admin.patch(f"/api/roles/{supervisor}", {"permissions": ["audit.read"]})
    assert gave.get_json()["code"] == "beyond_own_rights"
    with tenant_session(enterprise) as s:
        adam = s.query(User).filter_by(username="adam").one().id
    assert admin.patch(f"/api/users/{adam}", {"role_ids": [owner_role]}).status_code == 403


def test_nobody_takes_over_a_user_who_may_more(admin: Browser, enterprise: int) -> None:
    with tenant_session(enterprise) as s:
        role = Role(name="Auditor", permissions=["audit.read"])
        s.add(role)
        s.flush()
        audrey = add_user(enterprise, "audrey")
        s.add(UserRole(user_id=audrey, role_id=role.id))
    answer = admin.post(f"/api/users/{audrey}/password", {"password": PASSWORD})
    assert answer.get_json()["code"] == "beyond_own_rights"
    assert admin.delete(f"/api/users/{audrey}").status_code == 403


def test_a_narrow_scope_gives_no_wide_one(browser: New, owner: Browser, enterprise: int) -> None:
    answer = owner.post(
        "/api/roles",
        {"name": "Lead", "permissions": ["roles.read", "roles.write", "desk.use"], "data_scope": "department"},
    )
    lee = add_user(enterprise, "lee")
    owner.patch(f"/api/users/{lee}", {"role_ids": [answer.get_json()["id"]]})
    b = browser()
    b.sign_in("acme", "lee")
    wide = b.post("/api/roles", {"name": "All", "permissions": ["desk.use"], "data_scope": "all"})
    assert wide.get_json()["code"] == "beyond_own_scope"
    assert b.post("/api/roles", {"name": "Own", "permissions": ["desk.use"]}).status_code == 201


@pytest.mark.promise("E3")
def test_deleting_a_role_takes_its_permissions_at_once(owner: Browser, browser: New, enterprise: int) -> None:
    role = owner.post("/api/roles", {"name": "Callers", "permissions": ["desk.use", "campaigns.read"]}).get_json()["id"]
    ann = add_user(enterprise, "ann")
    owner.patch(f"/api/users/{ann}", {"role_ids": [role]})
    b = browser()
    b.sign_in("acme", "ann")
    assert b.get("/api/auth/me").get_json()["permissions"] == ["campaigns.read", "desk.use"]
    assert owner.get(f"/api/roles/{role}").get_json()["users"] == 1
    assert owner.delete(f"/api/roles/{role}").status_code == 204
    assert b.get("/api/auth/me").get_json()["permissions"] == []
    assert owner.get(f"/api/users/{ann}").get_json()["roles"] == []


@pytest.mark.promise("E3")
def test_built_in_roles_stay_and_keep_their_names(owner: Browser, enterprise: int) -> None:
    agent, owners = role_id(enterprise, "agent"), role_id(enterprise, "owner")
    assert owner.delete(f"/api/roles/{agent}").get_json()["code"] == "built_in_role"
    assert owner.patch(f"/api/roles/{agent}", {"name": "Callers"}).get_json()["fields"].keys() == {"name"}
    assert owner.patch(f"/api/roles/{agent}", {"permissions": ["desk.use"]}).status_code == 200
    assert owner.patch(f"/api/roles/{owners}", {"permissions": ["desk.use"]}).get_json()["code"] == "owner_role_stays"
    assert owner.patch(f"/api/roles/{owners}", {"enabled": False}).status_code == 409
    assert owner.get(f"/api/roles/{owners}").get_json()["permissions"] == list(PERMISSIONS)


@pytest.mark.promise("E3")
def test_roles_are_listed_by_state_and_permissions_by_function(owner: Browser) -> None:
    off = owner.post("/api/roles", {"name": "Old", "permissions": [], "enabled": False}).get_json()
    disabled = owner.get("/api/roles?state=disabled").get_json()
    assert [r["id"] for r in disabled["items"]] == [off["id"]]
    assert owner.get("/api/roles?state=enabled").get_json()["total"] == 4
    groups = owner.get("/api/roles/permissions").get_json()["groups"]
    assert sorted(p for g in groups for p in g["permissions"]) == sorted(PERMISSIONS)
    assert owner.post("/api/roles", {"name": "Old", "permissions": []}).get_json()["code"] == "role_name_taken"
    assert owner.post("/api/roles", {"name": "New", "permissions": ["fly"]}).get_json()["fields"].keys() == {
        "permissions"
    }


@pytest.mark.promise("E5")
def test_departments_make_a_tree_without_circles_and_only_empty_ones_go(owner: Browser, enterprise: int) -> None:
    def add(name: str, parent: int | None = None) -> int:
        answer = owner.post("/api/departments", {"name": name, "parent_id": parent})
        assert answer.status_code == 201, answer.get_json()
        return int(answer.get_json()["id"])

    sales = add("Sales")
    north = add("North", sales)
    team = add("Team 1", north)
    tree = owner.get("/api/departments").get_json()["tree"]
    assert [(d["name"], d["parent_id"]) for d in tree] == [("Sales", None), ("North", sales), ("Team 1", north)]
    below = owner.patch(f"/api/departments/{sales}", {"parent_id": team})
    assert below.get_json()["code"] == "department_below_itself"
    assert owner.patch(f"/api/departments/{sales}", {"parent_id": sales}).status_code == 422
    assert owner.delete(f"/api/departments/{north}").get_json()["code"] == "department_has_children"
    ann = add_user(enterprise, "ann", department_id=team)
    refused = owner.delete(f"/api/departments/{team}").get_json()
    assert (refused["code"], refused["params"]) == ("department_has_members", {"count": 1})
    assert owner.post("/api/departments", {"name": "Sales"}).get_json()["code"] == "department_name_taken"
    assert owner.patch(f"/api/departments/{team}", {"parent_id": None, "manager_id": ann}).status_code == 200
    assert owner.delete(f"/api/departments/{north}").status_code == 204
    assert named(owner, f"department_id={team}") == ["ann"]


@pytest.mark.promise("E5")
def test_a_direct_superior_changes_but_does_not_delete_and_a_higher_one_only_reads(
    owner: Browser, browser: New, enterprise: int
) -> None:
    role = owner.post(
        "/api/roles",
        {"name": "Lead", "permissions": ["users.read", "users.write", "desk.use"], "data_scope": "own"},
    ).get_json()["id"]
    sales = owner.post("/api/departments", {"name": "Sales"}).get_json()["id"]
    team = owner.post("/api/departments", {"name": "Team", "parent_id": sales}).get_json()["id"]
    other = add_user(enterprise, "other")
    ann = add_user(enterprise, "ann", department_id=team)
    people = {}
    for name, department in (("lead", team), ("head", sales)):
        user_id = add_user(enterprise, name, department_id=department)
        owner.patch(f"/api/users/{user_id}", {"role_ids": [role]})
        owner.patch(f"/api/departments/{department}", {"manager_id": user_id})
        people[name] = browser()
        people[name].sign_in("acme", name)
    lead, head = people["lead"], people["head"]
    assert named(lead, "") == ["ann", "lead"]
    assert named(head, "") == ["ann", "head", "lead"]
    assert lead.get(f"/api/users/{other}").status_code == 404
    assert lead.get(f"/api/users/{ann}").get_json()["access"] == "write"
    assert head.get(f"/api/users/{ann}").get_json()["access"] == "read"
    assert lead.patch(f"/api/users/{ann}", {"name": "Ann Li"}).status_code == 200
    assert lead.delete(f"/api/users/{ann}").get_json()["code"] == "not_in_your_charge"
    assert head.patch(f"/api/users/{ann}", {"name": "Ann"}).get_json()["code"] == "not_in_your_charge"
    assert head.patch(f"/api/users/{ann}", {"name": "Ann"}).status_code == 403


@pytest.mark.promise("E8")
def test_the_audit_log_tells_who_changed_what_from_where_before_and_after(owner: Browser, enterprise: int) -> None:
    ann = add_user(enterprise, "ann", "agent")
    owner.patch(f"/api/users/{ann}", {"name": "Ann Li"})
    owner.post(f"/api/users/{ann}/password", {"password": "a new one 10"})
    entries = owner.get(f"/api/audit?entity=user&entity_id={ann}").get_json()["items"]
    assert [e["action"] for e in entries] == ["reset_password", "update"]
    assert entries[1]["before"] == {"name": "Ann"} and entries[1]["after"] == {"name": "Ann Li"}
    assert entries[1]["ip"] == "127.0.0.1"
    assert "a new one" not in str(entries)
    assert owner.get("/api/audit?action=sign_in").get_json()["total"] == 1
    assert owner.get("/api/audit?from=2001-01-01&to=2001-01-02").get_json()["total"] == 0
    assert owner.get("/api/audit?from=2001-01-01").get_json()["total"] >= 3
    assert "reset_password" in owner.get("/api/audit/choices").get_json()["actions"]


@pytest.mark.promise("E2")
def test_home_shows_the_steps_that_the_role_may_take(owner: Browser, browser: New, enterprise: int) -> None:
    steps = {s["key"]: s["done"] for s in owner.get("/api/home").get_json()["steps"]}
    assert steps == {"trunk": False, "people": False, "list": False, "campaign": False, "call": False}
    add_user(enterprise, "ann", "agent")
    assert {s["key"]: s["done"] for s in owner.get("/api/home").get_json()["steps"]}["people"]
    b = browser()
    b.sign_in("acme", "ann")
    assert b.get("/api/home").get_json() == {"valid_until": None, "days_left": None, "steps": [], "callbacks_due": 0}
