"""Files of numbers for the blacklist and for opt-outs: what is taken, what is rejected, and where to mend it."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.web.conftest import Browser, add_user

PLACES = ("/api/blacklist", "/api/opt-outs")


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("CALLCENTER_VAR", str(tmp_path))
    yield tmp_path


def put(browser: Browser, place: str, content: bytes, query: str = "") -> Any:
    return browser.client.post(f"{place}/import{query}", data=content, headers={"X-CSRFToken": browser.token})


def workbook(*rows: tuple[str, ...]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


TABLE = [("客户", "手机", "备注"), ("A", "13812345678", "x"), ("B", "139 1234 5678", "y"), ("C", "12", "z"),
         ("D", "", "w"), ("E", "+8613812345678", "v")]  # fmt: skip
FILES = [
    "\n".join(",".join(r) for r in TABLE).encode("gb18030"),
    "\r\n".join("\t".join(r) for r in TABLE).encode("utf-16"),
    "\n".join(";".join(r) for r in TABLE).encode("utf-8-sig"),
    workbook(*TABLE),
]


@pytest.mark.promise("S4")
@pytest.mark.promise("S8")
@pytest.mark.parametrize("place", PLACES)
def test_a_file_in_any_form_says_what_was_added_known_and_rejected(owner: Browser, place: str) -> None:
    assert owner.post(place, {"numbers": ["13912345678"]}).get_json()["added"] == 1
    for i, content in enumerate(FILES):
        done = put(owner, place, content, "?locale=zh-CN&file_name=退订.csv").get_json()
        new = 1 if i == 0 else 0
        assert (done["added"], done["already"], done["duplicates"], done["rejected"]) == (new, 2 - new, 1, 2)
        assert done["wrong"] == [
            {"line": 4, "text": "12", "reason": "phone_too_short"},
            {"line": 5, "text": "", "reason": "phone_missing"},
        ]
        answer = owner.get(f"{place}/import/{done['rejected_id']}/rejected")
        rows = list(csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
        assert rows == [
            ["行号", "原因", "客户", "手机", "备注"],
            ["4", "电话号码太短：12", "C", "12", "z"],
            ["5", "没有电话号码", "D", "", "w"],
        ]
    page = owner.get(f"{place}?source=import").get_json()["items"]
    assert [e["phone"] for e in page] == ["+8613812345678"]


@pytest.mark.parametrize("place", PLACES)
def test_numbers_may_stand_one_under_or_beside_another(owner: Browser, place: str) -> None:
    assert put(owner, place, b"13812345678\n13912345678\n").get_json()["added"] == 2
    done = put(owner, place, b"13712345678, 13612345678, 13812345678\n13512345678\nnonsense\n").get_json()
    assert (done["added"], done["already"], done["rejected"]) == (3, 1, 1)


@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_table_of_numbers_is_refused_and_leaves_nothing(owner: Browser, place: str, var: Path) -> None:
    for content, code in [
        (b"a,b\nc,d\n", "no_phone_column"),
        (b"\x89PNG....", "file_not_a_table"),
        (b"\n\n", "file_empty"),
        (b"", "file_empty"),
    ]:
        assert put(owner, place, content).get_json()["code"] == code
    assert owner.get(place).get_json()["total"] == 0
    assert [p for p in (var / "number-files").rglob("*") if p.is_file()] == []


def test_rejected_rows_are_their_uploaders_alone_and_kept_for_a_week(
    owner: Browser, enterprise: int, browser: Any, var: Path
) -> None:
    done = put(owner, "/api/opt-outs", b"phone\n1\n13812345678\n").get_json()
    add_user(enterprise, "admin", "admin")
    other = browser()
    other.sign_in("acme", "admin")
    path = f"/api/opt-outs/import/{done['rejected_id']}/rejected"
    assert [b.get(path).status_code for b in (owner, other)] == [200, 404]
    assert owner.get("/api/opt-outs/import/..%2F..%2Fx/rejected").status_code == 404
    (kept,) = (p for p in (var / "number-files").rglob("*.csv"))
    os.utime(kept, (0, time.time() - 8 * 86400))
    put(owner, "/api/opt-outs", b"13812345678\n")
    assert owner.get(path).status_code == 404
