"""Texts of the address book, rows of files judged, and imports and exports as jobs on real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.events import streams
from callcenter.ids import new_id
from crm.addressbook import transfers
from crm.addressbook.contacts import add_contact
from crm.addressbook.groups import add_group, delete_group
from crm.addressbook.models import Contact, ContactGroup, ContactJob, ContactMember, JobKind
from crm.addressbook.plan import ContactPlan, ContactRow, Judge, propose
from crm.addressbook.sheet import defused
from crm.addressbook.texts import Birthday, birthday, name_key, wanted
from crm.importing.columns import Rejected
from crm.importing.plan import Column
from crm.jobs import contacts as jobs
from crm.jobs.watch import Watch, cancel_key, lease_key
from tests.crm.conftest import Floor


def test_names_stand_by_letter_and_then_by_pinyin() -> None:
    names = ["张伟", "Zoë", "曹德梅", "anna", "北京", "", "Ａdam", "陈静"]
    assert sorted(names, key=name_key) == ["Ａdam", "anna", "Zoë", "北京", "曹德梅", "陈静", "张伟", ""]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1990-05-01", Birthday(5, 1, 1990)),
        ("1990/5/1 00:00:00", Birthday(5, 1, 1990)),
        ("1990年5月1日", Birthday(5, 1, 1990)),
        ("19900501", Birthday(5, 1, 1990)),
        ("5月1日", Birthday(5, 1)),
        ("02-29", Birthday(2, 29)),
        ("1990-02-29", None),
        ("13-01", None),
        ("2027-01-01", None),
        ("1879-01-01", None),
        ("soon", None),
    ],
)
def test_a_birthday_is_read_in_the_usual_forms(text: str, day: Birthday | None) -> None:
    assert birthday(text, this_year=2026) == day


def test_a_search_is_a_number_a_part_of_one_or_words() -> None:
    assert wanted("138 1234-5678", "CN").phone_e164 == "+8613812345678"
    assert wanted("０２１ 6234", "CN").words == ("216234",)
    assert wanted(" Wang  LI ", "CN").words == ("wang", "li")


@pytest.mark.parametrize("cell", ["=1+1", "+1+1", "-1", "@SUM(A1)", "\t=1", "+86138;+86139", "+86138****678"])
def test_a_cell_that_a_spreadsheet_would_run_is_defused_and_a_number_is_not(cell: str) -> None:
    assert defused(cell) == f"'{cell}"
    assert defused("+8613812345678") == "+8613812345678"
    assert defused("王丽 = 1") == "王丽 = 1"


def judged(row: list[str], *targets: str, **settings: Any) -> ContactRow | Rejected:
    plan = ContactPlan(mapping=tuple(Column(i, t) for i, t in enumerate(targets)), **settings)
    return Judge(plan, frozenset({"a", "a/b"}), 8, len(targets), 2026).judge(row)


def test_a_row_keeps_its_numbers_by_what_they_are_and_its_groups_by_their_paths() -> None:
    row = ["王丽", "13812345678; 139 0000 1111", "'+862162345678", "a / b；A", "vip、new"]
    found = judged(row, "name", "phone_mobile", "phone_work", "group", "tags")
    assert isinstance(found, ContactRow)
    assert found.phones == ("+8613812345678", "+8613900001111", "+862162345678")
    assert found.labels == ("mobile", "mobile", "work")
    assert (found.paths, found.tags) == (("a/b", "A"), ("vip", "new"))


@pytest.mark.parametrize(
    ("cell", "target", "reason"),
    [
        ("12", "phone_mobile", "phone_too_short"),
        ("x" * 201, "name", "name_too_long"),
        ("nobody", "email", "email_wrong"),
        ("31-31", "birthday", "birthday_wrong"),
        ("nowhere", "group", "group_unknown"),
        ("1/2/3/4/5/6/7/8/9", "group", "group_wrong"),
        (",".join(map(str, range(21))), "tags", "tags_too_many"),
        (";".join(f"138123456{i}" for i in range(10, 21)), "phone_mobile", "phones_too_many"),
    ],
)
def test_a_row_is_rejected_for_what_is_wrong_in_it_and_says_where(cell: str, target: str, reason: str) -> None:
    found = judged(["Acme", cell], "company", target)
    assert isinstance(found, Rejected)
    assert (found.reason, found.column) == (reason, 1)


def test_columns_are_found_by_their_titles_or_by_the_look_of_the_first_row() -> None:
    assert propose(["联系人", "手机", "单位电话", "单位", "分组"], []) == [
        "name", "phone_mobile", "phone_work", "company", "group",
    ]  # fmt: skip
    assert propose([], ["王丽", "13812345678", "2026"]) == ["name", "phone_mobile", ""]


class Files:
    """Imports and exports of `floor`'s user."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor

    def upload(self, lines: list[str], *targets: str, **settings: Any) -> str:
        """Start an import of `lines`, whose columns are `targets`; returns its id."""
        job_id, content = new_id(), "\n".join(lines).encode()
        path = self.floor.var / transfers.stored_name(self.floor.tenant, job_id, "upload")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        mapping = [{"column": i, "to": t} for i, t in enumerate(targets)]
        with tenant_session(self.floor.tenant) as s:
            transfers.register(s, self.floor.actor, job_id, "book.csv", len(content))
            transfers.start_import(s, self.floor.actor, job_id, {"mapping": mapping, "header": False, **settings})
        return job_id

    def job(self, job_id: str) -> ContactJob:
        with tenant_session(self.floor.tenant) as s:
            return s.get_one(ContactJob, job_id)

    def load(self, lines: list[str], *targets: str, **settings: Any) -> dict[str, Any]:
        """Import `lines`; the counts that are not zero."""
        job_id = self.upload(lines, *targets, **settings)
        jobs.run(self.floor.tenant, job_id)
        job = self.job(job_id)
        assert (job.state, job.error) == ("done", None)
        return {k: v for k, v in job.counts.items() if v}

    def book(self) -> dict[str, list[str]]:
        """Name → numbers of all contacts."""
        with tenant_session(self.floor.tenant) as s:
            return {c.name: c.phones for c in s.scalars(select(Contact).order_by(Contact.id))}


@pytest.fixture
def files(floor: Floor) -> Files:
    return Files(floor)


A, B, C = "+8613812345671", "+8613812345672", "+8613812345673"
TWICE = [f"First,{A}", f"Second,{B}", f"Third,{A};{C}"]


@pytest.mark.promise("B2")
@pytest.mark.parametrize(
    ("rule", "names", "counts"),
    [
        ("skip", ["First", "Second"], {"added": 2, "duplicate_file": 1}),
        ("overwrite", ["Second", "Third"], {"added": 2, "duplicate_file": 1}),
        ("add", ["First", "Second", "Third"], {"added": 3}),
    ],
)
def test_a_number_that_comes_twice_in_a_file_goes_by_the_chosen_rule(
    files: Files, rule: str, names: list[str], counts: dict[str, int]
) -> None:
    assert files.load(TWICE, "name", "phone_mobile", in_file=rule) == {"total": 3, **counts}
    assert list(files.book()) == names


@pytest.mark.promise("B2")
@pytest.mark.parametrize(
    ("rule", "book", "counts"),
    [
        ("skip", {"Known": [A], "New": [C]}, {"added": 1, "duplicate_book": 1}),
        ("overwrite", {"Wang": [B, A], "New": [C]}, {"added": 1, "updated": 1}),
        ("add", {"Known": [A], "Wang": [B, A], "New": [C]}, {"added": 2}),
    ],
)
def test_a_number_that_is_in_the_book_goes_by_the_chosen_rule(
    files: Files, rule: str, book: dict[str, list[str]], counts: dict[str, int]
) -> None:
    with tenant_session(files.floor.tenant) as s:
        given = {"name": "Known", "company": "Acme", "phones": [{"number": A, "label": "work"}], "tags": ["old"]}
        known = add_contact(s, files.floor.actor, given).id
    lines = [f"Wang,{B};{A},,vip", f"New,{C},,"]
    counted = files.load(lines, "name", "phone_mobile", "company", "tags", in_book=rule)
    assert counted == {"total": 2, **counts}
    assert files.book() == book
    if rule == "overwrite":
        with tenant_session(files.floor.tenant) as s:
            row = s.get_one(Contact, known)
            assert (row.company, row.tags, row.labels) == ("Acme", ["old", "vip"], ["mobile", "mobile"])
            assert "wang" in row.search and B[1:] in row.search


def test_what_goes_into_a_private_group_is_private_and_its_paths_start_there(files: Files) -> None:
    floor = files.floor
    with tenant_session(floor.tenant) as s:
        base = add_group(s, floor.actor, name="Mine", private=True).id
    lines = [f"First,{A},x/y", f"Second,{B},"]
    files.load(lines, "name", "phone_mobile", "group", group_id=base, make_groups=True)
    with tenant_session(floor.tenant) as s:
        groups = {g.name: g for g in s.scalars(select(ContactGroup))}
        assert {g.owner_id for g in groups.values()} == {floor.user}
        assert (groups["x"].parent_id, groups["y"].parent_id) == (base, groups["x"].id)
        assert {c.owner_id for c in s.scalars(select(Contact))} == {floor.user}
        places = s.execute(select(ContactMember.group_id, Contact.name).join(Contact)).all()
        assert sorted(tuple(p) for p in places) == sorted([(groups["y"].id, "First"), (base, "Second")])


@pytest.mark.promise("B2")
def test_an_import_that_is_stopped_leaves_nothing_and_can_be_started_again(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, actor = files.floor.tenant, files.floor.actor
    job_id = files.upload(TWICE, "name", "phone_mobile", "group", make_groups=True)
    _in_the_middle(monkeypatch, lambda: streams.client().set(cancel_key(job_id), "1", ex=60))
    jobs.run(tenant, job_id)
    assert (files.job(job_id).state, files.book()) == ("cancelled", {})
    monkeypatch.undo()
    monkeypatch.setenv("CALLCENTER_VAR", str(files.floor.var))
    monkeypatch.setattr(streams, "_client", None)
    streams.client().delete(cancel_key(job_id))
    with tenant_session(tenant) as s:
        transfers.start_import(s, actor, job_id, files.job(job_id).settings)
    jobs.run(tenant, job_id)
    assert (files.job(job_id).state, len(files.book())) == ("done", 2)


def _in_the_middle(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    """Let `act` happen when the rows are staged and before they are settled, and the watch see it."""
    real = Watch.tick

    def tick(self: Any, *, force: bool = False, **changes: Any) -> None:
        if changes.get("phase") == "saving":
            act()
            self._once()
        real(self, force=force, **changes)

    monkeypatch.setattr(Watch, "tick", tick)


@pytest.mark.promise("B2")
def test_an_import_whose_worker_dies_leaves_nothing_and_is_taken_up_again(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = files.floor.tenant
    job_id = files.upload(TWICE, "name", "phone_mobile")

    class Killed(BaseException):
        """As if the process were gone: nobody closes the job."""

    def die() -> None:
        raise Killed

    with monkeypatch.context() as patch:
        _in_the_middle(patch, die)
        with pytest.raises(Killed):
            jobs.run(tenant, job_id)
    assert (files.job(job_id).state, files.book()) == ("running", {})
    streams.client().delete(lease_key(job_id))  # as it runs out
    assert jobs.recover() == 1
    jobs.run(tenant, job_id)
    jobs.run(tenant, job_id)  # a second worker finds nothing to do
    assert (files.job(job_id).state, len(files.book())) == ("done", 2)


def test_files_of_a_week_ago_are_removed_and_their_rows_stay(files: Files) -> None:
    job_id = files.upload(TWICE, "name", "phone_mobile")
    jobs.run(files.floor.tenant, job_id)
    path, rejected = jobs.file_path(files.job(job_id)), jobs.rejected_path(files.job(job_id))
    assert path.exists() and rejected.exists() and jobs.sweep() == 0
    with tenant_session(files.floor.tenant) as s:
        s.get_one(ContactJob, job_id).updated_at = utc_now() - timedelta(days=8)
    assert jobs.sweep() == 2
    assert not path.exists() and files.job(job_id).kind == JobKind.IMPORT


def test_a_group_that_somebody_just_fills_is_not_deleted_with_what_comes_in(files: Files) -> None:
    floor = files.floor
    with tenant_session(floor.tenant) as s:
        group = add_group(s, floor.actor, name="Customers").id
    with tenant_session(floor.tenant) as filling:
        add_contact(filling, floor.actor, {"name": "A", "groups": [group]})
        with pytest.raises(Exception, match="lock timeout"), tenant_session(floor.tenant) as deleting:
            deleting.connection().exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
            delete_group(deleting, floor.actor, group)
    assert list(files.book()) == ["A"]
