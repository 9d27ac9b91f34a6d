"""The address book through the API: the tree of groups, contacts, batches, duplicates, files in and out."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import select

from callcenter.audit.models import AuditEntry
from callcenter.auth.models import Role
from callcenter.db.session import tenant_session
from callcenter.events import streams
from crm.jobs import contacts as jobs
from crm.models import Customer
from tests.web.conftest import Browser, add_user

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("CALLCENTER_VAR", str(tmp_path))
    yield tmp_path


@pytest.fixture
def agent(browser: Callable[[], Browser], enterprise: int) -> Browser:
    add_user(enterprise, "anna", "agent")
    b = browser()
    assert b.sign_in("acme", "anna").status_code == 200
    return b


def group(b: Browser, name: str, parent: int | None = None, *, private: bool = False) -> int:
    answer = b.post("/api/contact-groups", {"name": name, "parent_id": parent, "private": private})
    assert answer.status_code == 201, answer.get_json()
    return int(answer.get_json()["id"])


def contact(b: Browser, name: str, number: str = "", **more: Any) -> Json:
    phones = [{"number": number}] if number else []
    answer = b.post("/api/contacts", {"name": name, "phones": phones, **more})
    assert answer.status_code == 201, answer.get_json()
    made: Json = answer.get_json()
    return made


def names(b: Browser, query: str = "") -> list[str]:
    answer = b.get(f"/api/contacts?{query}")
    assert answer.status_code == 200, answer.get_json()
    return [c["name"] for c in answer.get_json()["items"]]


def tree(b: Browser, query: str = "") -> list[str]:
    return [g["path"] for g in b.get(f"/api/contact-groups?{query}").get_json()["tree"]]


@pytest.mark.promise("B1")
def test_a_group_with_groups_or_contacts_is_not_deleted_and_says_which_are_in_it(owner: Browser) -> None:
    top = group(owner, "Customers")
    below = group(owner, "Shanghai", top)
    contact(owner, "王丽", "13812345678", groups=[top])
    answer = owner.delete(f"/api/contact-groups/{top}")
    said = answer.get_json()
    assert (answer.status_code, said["code"]) == (409, "group_has_children")
    assert (said["params"]["groups"], said["params"]["contacts"]) == (1, 1)
    assert said["params"]["named_groups"] == [{"id": below, "name": "Shanghai"}]
    assert [c["name"] for c in said["params"]["named_contacts"]] == ["王丽"]
    assert owner.delete(f"/api/contact-groups/{below}").status_code == 204
    assert owner.post("/api/contacts/batch", {"action": "take_out", "group_id": top, "filter": {}}).status_code == 200
    assert owner.delete(f"/api/contact-groups/{top}").status_code == 204
    assert names(owner) == ["王丽"]


@pytest.mark.promise("B1")
def test_groups_are_renamed_moved_disabled_and_found_by_name_but_never_make_a_circle(owner: Browser) -> None:
    top, other = group(owner, "Customers"), group(owner, "Suppliers")
    below = group(owner, "Shanghai", top)
    deep = group(owner, "Pudong", below)
    assert tree(owner, "search=dong") == ["Customers", "Customers/Shanghai", "Customers/Shanghai/Pudong"]
    circle = owner.patch(f"/api/contact-groups/{top}", {"parent_id": deep})
    assert (circle.status_code, circle.get_json()["code"]) == (422, "group_below_itself")
    assert owner.patch(f"/api/contact-groups/{below}", {"parent_id": other, "name": "East"}).status_code == 200
    assert tree(owner) == ["Customers", "Suppliers", "Suppliers/East", "Suppliers/East/Pudong"]
    assert owner.patch(f"/api/contact-groups/{other}", {"enabled": False}).get_json()["enabled"] is False
    rows = owner.get("/api/contact-groups").get_json()["tree"]
    assert [g["used"] for g in rows] == [True, False, False, False]
    taken = owner.post("/api/contact-groups", {"name": "East", "parent_id": other})
    assert (taken.status_code, taken.get_json()["code"]) == (422, "group_name_taken")


def test_groups_go_eight_levels_deep_also_when_a_whole_branch_is_moved(owner: Browser) -> None:
    parent: int | None = None
    for level in range(1, 9):
        parent = group(owner, f"Level {level}", parent)
    answer = owner.post("/api/contact-groups", {"name": "Level 9", "parent_id": parent})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "group_too_deep")
    branch = group(owner, "Branch")
    group(owner, "Leaf", branch)
    seventh = owner.get("/api/contact-groups?search=Level 7").get_json()["tree"][-1]["id"]
    assert owner.patch(f"/api/contact-groups/{branch}", {"parent_id": seventh}).get_json()["code"] == "group_too_deep"


@pytest.mark.promise("B1")
def test_a_private_group_and_its_contacts_are_seen_by_nobody_else_whatever_their_role(
    owner: Browser, agent: Browser
) -> None:
    mine = group(agent, "My friends", private=True)
    friend = contact(agent, "Friend", "13812345678", groups=[mine])
    shared = contact(owner, "Shared", "13812345679")
    assert agent.patch(f"/api/contacts/{shared['id']}", {"groups": [mine]}).get_json()["private"] is False
    assert friend["private"] is True
    assert tree(owner) == [] and names(owner) == ["Shared"]
    assert [c["groups"] for c in owner.get("/api/contacts").get_json()["items"]] == [[]]
    for path in (f"/api/contact-groups/{mine}", f"/api/contacts/{friend['id']}"):
        assert owner.get(path).status_code == 404
        assert owner.patch(path, {"name": "x"}).status_code == 404
        assert owner.delete(path).status_code == 404
    assert owner.post("/api/contacts/batch", {"action": "delete", "ids": [friend["id"]]}).get_json() == {"count": 0}
    assert owner.post("/api/contacts", {"name": "A", "groups": [mine]}).get_json()["code"] == "unknown_choice"
    assert owner.get("/api/contacts/duplicates").get_json()["total"] == 0
    assert names(agent, f"group_id={mine}") == ["Friend", "Shared"]
    public = agent.patch(f"/api/contact-groups/{mine}", {"private": False})
    assert public.get_json()["private"] is False
    assert tree(owner) == ["My friends"] and names(owner) == ["Friend", "Shared"]


def test_a_public_group_does_not_become_private_and_what_is_moved_below_it_becomes_public(owner: Browser) -> None:
    public, private = group(owner, "Public"), group(owner, "Mine", private=True)
    inside = contact(owner, "Inside", "13812345678", groups=[private])
    assert owner.patch(f"/api/contact-groups/{public}", {"private": True}).get_json()["code"] == "group_stays_public"
    below = owner.patch(f"/api/contact-groups/{public}", {"parent_id": private})
    assert (below.status_code, below.get_json()["code"]) == (409, "group_stays_public")
    assert owner.patch(f"/api/contact-groups/{private}", {"parent_id": public}).get_json()["private"] is False
    assert owner.get(f"/api/contacts/{inside['id']}").get_json()["private"] is False


@pytest.mark.promise("B2")
def test_a_contact_keeps_its_numbers_in_e164_with_labels_and_knows_its_customer(
    owner: Browser, enterprise: int
) -> None:
    with tenant_session(enterprise) as s:
        s.add(Customer(name="Wang", phones=["+862162345678"]))
    place = group(owner, "Customers")
    phones = [{"number": "138 1234 5678"}, {"number": "021-62345678", "label": "work"}, {"number": "+8613812345678"}]
    made = contact(
        owner, "王丽", phones=phones, email="wang@example.com", company="Acme", title="CEO", birthday="5/1",
        tags=[" vip ", "vip"], note="Likes tea", groups=[place],
    )  # fmt: skip
    assert made["phones"] == [
        {"number": "+8613812345678", "label": "mobile"},
        {"number": "+862162345678", "label": "work"},
    ]
    assert (made["birthday"], made["tags"], made["groups"]) == ("05-01", ["vip"], [{"id": place, "path": "Customers"}])
    assert made["customer_id"] == 1
    path = f"/api/contacts/{made['id']}"
    changed = owner.patch(path, {"phones": [{"number": "13900001111", "label": "home"}], "birthday": "1990-05-01"})
    assert changed.get_json()["phones"] == [{"number": "+8613900001111", "label": "home"}]
    assert (changed.get_json()["customer_id"], changed.get_json()["birthday"]) == (None, "1990-05-01")
    assert owner.delete(path).status_code == 204 and owner.get(path).status_code == 404
    with tenant_session(enterprise) as s:
        done = s.scalars(select(AuditEntry.action).where(AuditEntry.entity == "contact").order_by(AuditEntry.id))
        assert list(done) == ["create", "update", "delete"]


def test_what_is_wrong_with_a_contact_is_said_beside_its_fields(owner: Browser) -> None:
    wrong = {"phones": [{"number": "12"}], "email": "nobody", "birthday": "2026-02-30"}
    answer = owner.post("/api/contacts", wrong)
    assert (answer.status_code, sorted(answer.get_json()["fields"])) == (422, ["birthday", "email", "phones.0"])
    assert sorted(owner.post("/api/contacts", {}).get_json()["fields"]) == ["name"]


def test_who_sees_masked_numbers_saves_a_contact_without_losing_them(
    owner: Browser, agent: Browser, enterprise: int
) -> None:
    made = contact(owner, "王丽", "13812345678")
    with tenant_session(enterprise) as s:
        role = s.scalars(select(Role).where(Role.key == "agent")).one()
        role.permissions = [p for p in role.permissions if p != "numbers.unmasked"]
    seen = agent.get(f"/api/contacts/{made['id']}").get_json()
    assert "13812345678" not in str(seen["phones"])
    phones = [{"number": "13900001111"}, {"number": seen["phones"][0]["number"], "label": "work"}]
    assert agent.patch(f"/api/contacts/{made['id']}", {"phones": phones}).status_code == 200
    kept = owner.get(f"/api/contacts/{made['id']}").get_json()["phones"]
    assert [p["number"] for p in kept] == ["+8613900001111", "+8613812345678"]


@pytest.mark.promise("B2")
def test_contacts_are_found_by_name_company_and_number_in_any_form(owner: Browser) -> None:
    contact(owner, "王丽", "13812345678", company="上海钢铁")
    contact(owner, "Smith, John", "+1 212 555 0123", company="Acme Steel")
    contact(owner, "李强", "021-62345678")
    for asked, found in {
        "王": ["王丽"],
        "王丽": ["王丽"],
        "钢铁 王": ["王丽"],
        "JOHN": ["Smith, John"],
        "steel smith": ["Smith, John"],
        "ＪＯＨＮ": ["Smith, John"],
        "138-1234-5678": ["王丽"],
        "0086 138 1234 5678": ["王丽"],
        "5678": ["李强", "王丽"],
        "(212) 555": ["Smith, John"],
        "021 6234": ["李强"],
        "100%": [],
    }.items():
        assert names(owner, f"search={asked.replace('+', '%2B').replace('%', '%25')}") == found, asked


@pytest.mark.promise("B2")
def test_birthdays_of_the_next_days_come_in_their_order_over_the_turn_of_the_year(
    owner: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import date

    from web.api import contacts as api

    for name, day in {"New year": "1990-01-01", "Eve": "12-31", "February": "02-29", "Past": "12-29"}.items():
        contact(owner, name, birthday=day)
    monkeypatch.setattr(api, "today", lambda: date(2026, 12, 30))
    assert names(owner, "birthday_days=7") == ["Eve", "New year"]
    monkeypatch.setattr(api, "today", lambda: date(2027, 2, 28))
    assert names(owner, "birthday_days=1") == ["February"]
    monkeypatch.setattr(api, "today", lambda: date(2028, 2, 28))
    assert names(owner, "birthday_days=1") == []


@pytest.mark.promise("B2")
def test_a_selection_or_all_that_match_are_moved_copied_tagged_and_deleted(owner: Browser, agent: Browser) -> None:
    a, b = group(owner, "A"), group(owner, "B")
    deep = group(owner, "Deep", a)
    first = contact(owner, "First", "13812345671", groups=[a])
    contact(owner, "Second", "13812345672", groups=[deep, b])
    contact(owner, "Third", "13812345673")

    def batch(**body: Any) -> int:
        answer = owner.post("/api/contacts/batch", body)
        assert answer.status_code == 200, answer.get_json()
        return int(answer.get_json()["count"])

    assert batch(action="add_to_group", ids=[first["id"]], group_id=b) == 1
    assert names(owner, f"group_id={b}") == ["First", "Second"]
    mine = group(owner, "Mine", private=True)
    assert batch(action="move", filter={"group_id": a}, group_id=mine, from_group_id=a) == 2
    assert names(owner, f"group_id={a}") == [] and names(agent, f"group_id={b}") == ["First", "Second"]
    assert batch(action="move", filter={"search": "sec"}, group_id=mine) == 1
    assert names(agent) == ["First", "Third"]
    assert batch(action="add_to_group", filter={"private": True}, group_id=b) == 1
    assert names(agent) == ["First", "Second", "Third"]
    assert batch(action="tag", filter={}, tags=["vip", "new"]) == 3
    assert batch(action="untag", ids=[first["id"]], tags=["vip"]) == 1
    assert names(owner, "tag=vip") == ["Second", "Third"] and names(owner, "tag=new") == ["First", "Second", "Third"]
    assert owner.get("/api/contacts/tags").get_json() == {"tags": ["new", "vip"]}
    assert batch(action="delete", filter={"tag": "vip"}) == 2
    assert names(owner) == ["First"]
    assert owner.post("/api/contacts/batch", {"action": "delete"}).status_code == 422
    assert owner.post("/api/contacts/batch", {"action": "move", "filter": {}}).status_code == 422


@pytest.mark.promise("B2")
def test_contacts_that_share_a_number_are_shown_and_two_are_merged_into_one(owner: Browser) -> None:
    a, b = group(owner, "A"), group(owner, "B")
    two = [{"number": "13812345678"}, {"number": "13900001111", "label": "work"}]
    keep = contact(owner, "王丽", "13812345678", groups=[a], tags=["vip"], company="Acme", note="")
    other = contact(owner, "Wang Li", phones=two, groups=[b], tags=["new"], company="Other", email="w@example.com")
    contact(owner, "Alone", "13700001111")
    found = owner.get("/api/contacts/duplicates").get_json()
    assert found["total"] == 1
    assert [c["name"] for c in found["items"][0]["contacts"]] == ["王丽", "Wang Li"]
    assert found["items"][0]["phones"] == ["+8613812345678"]
    body = {"keep_id": keep["id"], "other_id": other["id"], "take": ["name"]}
    merged = owner.post("/api/contacts/merge", body).get_json()
    assert (merged["id"], merged["name"], merged["company"], merged["email"]) == (
        keep["id"], "Wang Li", "Acme", "w@example.com",
    )  # fmt: skip
    assert [p["number"] for p in merged["phones"]] == ["+8613812345678", "+8613900001111"]
    assert (merged["tags"], [g["path"] for g in merged["groups"]]) == (["vip", "new"], ["A", "B"])
    assert owner.get("/api/contacts/duplicates").get_json()["total"] == 0
    assert owner.get(f"/api/contacts/{other['id']}").status_code == 404
    assert owner.post("/api/contacts/merge", {**body, "other_id": keep["id"]}).status_code == 422


FILE = (
    "姓名,手机,公司,生日,分组,标签\n王丽,13812345678,Acme,1990/5/1,客户/上海;伙伴,vip,\n李强,12,,,,\n,,,,,\n"
    "陈静,13900001111,'=1+1,13-40,,\n赵敏,13812345678,,,,\n孙涛,13700001111,,,客户,\n"
).encode("gb18030")


def upload(b: Browser, content: bytes = FILE, name: str = "book.csv") -> Json:
    answer = b.client.post(
        f"/api/contact-imports?file_name={name}", data=content, headers={"X-CSRFToken": b.token}
    )  # fmt: skip
    return {"status": answer.status_code, **answer.get_json()}


@pytest.mark.promise("B2")
def test_a_file_is_previewed_imported_into_groups_of_its_own_and_says_what_it_rejected(
    owner: Browser, enterprise: int
) -> None:
    contact(owner, "Known", "13700001111")
    job = upload(owner)
    path = f"/api/contact-imports/{job['id']}"
    seen = owner.post(f"{path}/preview?locale=en", {"make_groups": True}).get_json()
    assert (seen["kind"], seen["detected"]["encoding"], seen["settings"]["header"]) == ("text", "gb18030", True)
    assert [c["to"] for c in seen["settings"]["mapping"]] == [
        "name", "phone_mobile", "company", "birthday", "group", "tags",
    ]  # fmt: skip
    assert [(r["ok"], r["empty"], r["text"]) for r in seen["rows"]] == [
        (True, False, ""),
        (False, False, "The phone number is too short: 12"),
        (True, True, ""),
        (False, False, "Not a date: 13-40"),
        (False, False, "The same number stands in another row of the file"),
        (False, False, "The number is in the address book already"),
    ]
    unknown = owner.post(f"{path}/preview?locale=en", {"make_groups": False}).get_json()
    assert unknown["rows"][0]["text"] == "There is no group “客户/上海”"
    assert owner.post(f"{path}/start", {**seen["settings"], "in_book": "overwrite"}).status_code == 202
    jobs.run(enterprise, str(job["id"]))
    done = owner.get(path).get_json()
    assert (done["state"], done["error"]) == ("done", None)
    assert done["counts"] == {
        "total": 5, "rejected": 2, "duplicate_file": 1, "duplicate_book": 0, "added": 1, "updated": 1,
    }  # fmt: skip
    assert tree(owner) == ["伙伴", "客户", "客户/上海"]
    assert names(owner) == ["孙涛", "王丽"] and names(owner, "search=known") == []
    wang = owner.get("/api/contacts?search=王丽").get_json()["items"][0]
    assert (wang["birthday"], [g["path"] for g in wang["groups"]]) == ("1990-05-01", ["伙伴", "客户/上海"])
    rejected = owner.get(f"{path}/rejected").data.decode("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in rejected] == ["行号", "3", "5", "6"]
    document = streams.snapshot(enterprise, jobs.topic(str(job["id"])))
    assert (document["state"], document["rejected_file"]) == ("done", True)


def test_an_import_is_its_users_own_and_needs_a_name_or_a_number(owner: Browser, agent: Browser) -> None:
    job = upload(owner)
    assert agent.get(f"/api/contact-imports/{job['id']}").status_code == 403
    answer = owner.post(f"/api/contact-imports/{job['id']}/start", {"mapping": [{"column": 3, "to": "birthday"}]})
    assert (answer.status_code, list(answer.get_json()["fields"])) == (422, ["mapping"])
    assert upload(owner, b"")["code"] == "file_empty"


@pytest.mark.promise("B2")
def test_an_export_of_a_selection_and_of_a_filter_never_runs_in_a_spreadsheet_and_keeps_numbers(
    owner: Browser, agent: Browser, browser: Callable[[], Browser], enterprise: int
) -> None:
    add_user(enterprise, "lin", "admin")
    colleague = browser()
    assert colleague.sign_in("acme", "lin").status_code == 200
    place = group(owner, "Customers")
    bad = contact(owner, "=cmd|' /C calc'!A0", "13812345678", company="@SUM(1)", note="-1+1", groups=[place])
    contact(owner, "王丽", "13900001111")
    started = owner.post("/api/contact-exports", {"format": "csv", "ids": [bad["id"]]})
    assert started.status_code == 202
    job = started.get_json()["id"]
    jobs.run(enterprise, job)
    raw = owner.get(f"/api/contact-exports/{job}/file").data
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    assert len(rows) == 2
    assert rows[1][:2] == ["'=cmd|' /C calc'!A0", "+8613812345678"]
    assert (rows[1][5], rows[1][9], rows[1][11]) == ("'@SUM(1)", "Customers", "'-1+1")
    assert agent.get(f"/api/contact-exports/{job}/file").status_code == 403
    assert colleague.get(f"/api/contact-exports/{job}/file").status_code == 404
    assert colleague.get("/api/contact-files").get_json()["total"] == 0
    job = owner.post("/api/contact-exports", {"format": "xlsx", "filter": {}}).get_json()["id"]
    jobs.run(enterprise, job)
    book = openpyxl.load_workbook(io.BytesIO(owner.get(f"/api/contact-exports/{job}/file").data))
    cells = list(book.worksheets[0].iter_rows(min_row=2))
    assert [(c[0].value, c[1].value, c[0].data_type) for c in cells] == [
        ("=cmd|' /C calc'!A0", "+8613812345678", "s"),
        ("王丽", "+8613900001111", "s"),
    ]
    with tenant_session(enterprise) as s:
        done = s.scalars(select(AuditEntry.action).where(AuditEntry.entity == "contact_job").order_by(AuditEntry.id))
        assert list(done) == ["export", "download", "export", "download"]


@pytest.mark.promise("B2")
def test_what_was_exported_comes_back_the_same_when_it_is_imported(owner: Browser, enterprise: int) -> None:
    place = group(owner, "Deep", group(owner, "Top"))
    phones = [{"number": "13812345678"}, {"number": "13812345679"}, {"number": "+1 212 555 0123", "label": "work"}]
    made = contact(
        owner, "=王丽", phones=phones, company="-Acme", title="CEO", email="w@example.com", birthday="02-29",
        note="two\nlines", tags=["a", "b"], groups=[place],
    )  # fmt: skip
    job = owner.post("/api/contact-exports", {"format": "csv", "filter": {"group_id": place}}).get_json()["id"]
    jobs.run(enterprise, job)
    content = owner.get(f"/api/contact-exports/{job}/file").data
    assert owner.delete(f"/api/contacts/{made['id']}").status_code == 204
    back = upload(owner, content)
    path = f"/api/contact-imports/{back['id']}"
    settings = owner.post(f"{path}/preview", {}).get_json()["settings"]
    assert owner.post(f"{path}/start", settings).status_code == 202
    jobs.run(enterprise, str(back["id"]))
    again = owner.get("/api/contacts").get_json()["items"][0]
    for name in ("name", "phones", "company", "title", "email", "birthday", "note", "tags", "groups"):
        assert again[name] == made[name], name


@pytest.mark.promise("B3")
def test_a_contact_is_called_by_one_of_its_numbers_under_its_name(
    owner: Browser, agent: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []

    def send(_tenant: int, command: object, **_: Any) -> dict[str, str]:
        sent.append(command)
        return {"call_id": "c1"}

    monkeypatch.setattr(streams, "send", send)
    phones = [{"number": "13812345678"}, {"number": "021-62345678", "label": "work"}]
    made = contact(owner, "王丽", phones=phones)
    assert agent.post("/api/dial", {"contact_id": made["id"], "phone_index": 1}).get_json() == {"call_id": "c1"}
    assert (sent[0].number, sent[0].name, sent[0].card["name"]) == ("+862162345678", "王丽", "王丽")
    private = contact(owner, "Private", "13900001111", private=True)
    assert agent.post("/api/dial", {"contact_id": private["id"]}).status_code == 404
    assert agent.post("/api/dial", {"contact_id": made["id"], "phone_index": 2}).status_code == 422
