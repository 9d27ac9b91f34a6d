"""Imports through the API: upload, preview, start, watch, rejected rows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from callcenter.events import streams
from crm.jobs import imports as jobs
from tests.web.conftest import Browser
from tests.web.test_lists import make_list

CONTENT = "姓名,手机,城市\n王丽,13812345678,北京\n李强,12,上海\n,,\n陈静,13812345678,广州\n".encode("gb18030")


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("CALLCENTER_VAR", str(tmp_path))
    yield tmp_path


def upload(owner: Browser, content: bytes = CONTENT, list_id: int | None = None) -> dict[str, object]:
    list_id = list_id or make_list(owner)
    answer = owner.client.post(
        f"/api/imports?list_id={list_id}&file_name=leads.csv", data=content, headers={"X-CSRFToken": owner.token}
    )
    return {"status": answer.status_code, **answer.get_json()}


@pytest.mark.promise("L1")
def test_a_file_is_uploaded_previewed_imported_and_its_rejected_rows_fetched(owner: Browser, enterprise: int) -> None:
    job = upload(owner)
    assert job["status"] == 201
    path = f"/api/imports/{job['id']}"
    seen = owner.post(f"{path}/preview?locale=en").get_json()
    assert (seen["detected"]["encoding"], seen["columns"]) == ("gb18030", ["姓名", "手机", "城市"])
    assert seen["settings"]["header"] is True
    assert [(c["column"], c["to"]) for c in seen["settings"]["mapping"]] == [(0, "name"), (1, "phone")]
    assert [(r["ok"], r["phone"], r["empty"]) for r in seen["rows"]] == [
        (True, "+8613812345678", False),
        (False, "", False),
        (True, "", True),
        (False, "+8613812345678", False),
    ]
    assert seen["rows"][1]["text"] == "The phone number is too short: 12"
    assert owner.post("/api/fields", {"key": "city", "label": "城市", "kind": "text"}).status_code == 201
    again = owner.post(f"{path}/preview").get_json()
    assert {"column": 2, "to": "field:city"} in again["settings"]["mapping"]
    assert owner.post(f"{path}/start", again["settings"]).status_code == 202
    assert streams.snapshot(enterprise, jobs.topic(str(job["id"])))["state"] == "queued"
    assert owner.post(f"{path}/start", again["settings"]).get_json()["code"] == "import_running"
    jobs.run(enterprise, str(job["id"]))
    done = owner.get(path).get_json()
    assert (done["state"], done["counts"]["accepted"], done["counts"]["rejected"]) == ("done", 1, 1)
    document = streams.snapshot(enterprise, jobs.topic(str(job["id"])))
    assert (document["state"], document["counts"]["accepted"], document["rejected_file"]) == ("done", 1, True)
    rejected = owner.get(f"{path}/rejected")
    assert rejected.headers["Content-Disposition"].startswith("attachment")
    assert len(rejected.data.decode("utf-8-sig").splitlines()) == 3


@pytest.mark.promise("L1")
def test_a_file_larger_than_any_other_request_is_uploaded_whole(owner: Browser, var: Path) -> None:
    content = b"phone\n" + b"13812345678\n" * 500_000
    job = upload(owner, content)
    assert (job["status"], job["size_bytes"]) == (201, len(content))
    assert [p.stat().st_size for p in var.rglob("*.upload")] == [len(content)]


def test_what_was_chosen_for_an_import_is_there_again_for_who_comes_back_to_it(owner: Browser, enterprise: int) -> None:
    path = f"/api/imports/{upload(owner)['id']}"
    assert owner.get(path).get_json()["settings"] == {}
    chosen = {
        **owner.post(f"{path}/preview").get_json()["settings"],
        "mapping": [{"column": 1, "to": "phone"}, {"column": 2, "to": "name"}],
        "duplicates": {"file": "update", "list": "skip", "enterprise": "skip"},
    }
    owner.post(f"{path}/preview", chosen)
    assert owner.get(path).get_json()["settings"] == chosen
    assert owner.post(f"{path}/start", chosen).status_code == 202
    assert owner.post(f"{path}/preview").status_code == 200
    assert owner.get(path).get_json()["settings"] == chosen, "what it was started with stays"


def test_without_a_phone_column_the_import_does_not_start(owner: Browser) -> None:
    job = upload(owner)
    answer = owner.post(f"/api/imports/{job['id']}/start", {"mapping": [{"column": 0, "to": "name"}]})
    assert (answer.status_code, list(answer.get_json()["fields"])) == (422, ["mapping"])


@pytest.mark.promise("L1")
def test_a_waiting_import_is_cancelled_and_can_be_started_again(owner: Browser, enterprise: int) -> None:
    job = upload(owner)
    settings = {"country": "CN", "encoding": "gb18030", "mapping": [{"column": 1, "to": "phone"}]}
    owner.post(f"/api/imports/{job['id']}/start", settings)
    assert owner.post(f"/api/imports/{job['id']}/cancel").get_json()["state"] == "cancelled"
    jobs.run(enterprise, str(job["id"]))
    assert owner.get(f"/api/imports/{job['id']}").get_json()["state"] == "cancelled"
    assert owner.post(f"/api/imports/{job['id']}/start", settings).status_code == 202
    jobs.run(enterprise, str(job["id"]))
    assert owner.get(f"/api/imports/{job['id']}").get_json()["state"] == "done"


def test_an_empty_file_is_refused_and_leaves_nothing(owner: Browser, var: Path) -> None:
    assert upload(owner, b"")["code"] == "file_empty"
    assert [p for p in var.rglob("*") if p.is_file()] == []


def test_a_file_over_the_limit_is_refused(owner: Browser, var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPORT_MAX_BYTES", "1000")
    assert upload(owner, b"x" * 2000)["code"] == "file_too_large"
    assert [p for p in var.rglob("*") if p.is_file()] == []


def test_a_picture_is_refused_at_the_preview(owner: Browser) -> None:
    job = upload(owner, b"\x89PNG\r\n\x1a\n" + bytes(1000))
    answer = owner.post(f"/api/imports/{job['id']}/preview")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "file_not_a_table")


def test_a_file_for_a_foreign_list_is_refused(owner: Browser) -> None:
    assert upload(owner, list_id=999)["status"] == 404


@pytest.mark.promise("L1")
def test_a_workbook_shows_its_sheets_and_another_can_be_chosen(owner: Browser) -> None:
    book = openpyxl.Workbook()
    first, second = book.active, book.create_sheet("Leads")
    assert first is not None
    first.append(["read me"])
    second.append(["name", "phone"])
    second.append(["Wang", 13812345678])
    buffer = io.BytesIO()
    book.save(buffer)
    path = f"/api/imports/{upload(owner, buffer.getvalue())['id']}/preview"
    seen = owner.post(path).get_json()
    assert (seen["kind"], seen["sheets"], seen["settings"]["sheet"]) == ("workbook", ["Sheet", "Leads"], "Sheet")
    seen = owner.post(path, {"sheet": "Leads"}).get_json()
    assert (seen["columns"], seen["rows"][0]["phone"]) == (["name", "phone"], "+8613812345678")
    assert owner.post(path, {"sheet": "None"}).get_json()["code"] == "no_sheet"
