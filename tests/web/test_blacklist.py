"""The blacklist through the API, and the set that the dialer judges by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from callcenter.db.session import tenant_session
from callcenter.events import streams
from crm import blacklist
from tests.web.conftest import Browser


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("CALLCENTER_VAR", str(tmp_path))
    yield tmp_path


def members(tenant: int) -> set[str]:
    blacklist.sync(tenant)
    return {m.decode() for m in streams.client().smembers(blacklist.key(tenant))}


@pytest.mark.promise("S4")
def test_numbers_are_added_searched_disabled_and_deleted(owner: Browser, enterprise: int) -> None:
    numbers = ["13812345678", "+86 139 1234 5678", "nonsense", "13812345678", ""]
    done = owner.post("/api/blacklist", {"numbers": numbers, "reason": "asked"}).get_json()
    assert (done["added"], done["already"], done["rejected"]) == (2, 0, 1)
    assert done["wrong"] == [{"text": "nonsense", "reason": "phone_not_a_number"}]
    assert members(enterprise) == {"+8613812345678", "+8613912345678"}
    assert owner.post("/api/blacklist", {"numbers": ["13812345678"]}).get_json()["already"] == 1
    found = owner.get("/api/blacklist?search=1391234").get_json()["items"]
    assert [e["phone"] for e in found] == ["+8613912345678"]
    ids = [found[0]["id"]]
    assert owner.post("/api/blacklist/enable", {"ids": ids, "enabled": False}).get_json() == {"count": 1}
    assert members(enterprise) == {"+8613812345678"}
    with tenant_session(enterprise) as s:
        assert blacklist.blocked(s, ["+8613812345678", "+8613912345678"]) == {"+8613812345678"}
    assert owner.post("/api/blacklist", {"numbers": ["13912345678"]}).get_json()["added"] == 1  # enabled again
    everything = [e["id"] for e in owner.get("/api/blacklist").get_json()["items"]]
    assert owner.post("/api/blacklist/delete", {"ids": everything}).get_json() == {"count": 2}
    assert members(enterprise) == set()


@pytest.mark.promise("S4")
@pytest.mark.parametrize(
    "content", [b"13812345678\n13912345678\nbad\n", "客户,手机\nA,13812345678\nB,13912345678\nC,1\n".encode("gb18030")]
)
def test_a_file_of_numbers_is_imported(owner: Browser, enterprise: int, content: bytes) -> None:
    answer = owner.client.post("/api/blacklist/import", data=content, headers={"X-CSRFToken": owner.token})
    done = answer.get_json()
    assert (done["added"], done["rejected"]) == (2, 1)
    assert {e["source"] for e in owner.get("/api/blacklist").get_json()["items"]} == {"import"}


def test_a_file_without_a_column_of_numbers_is_refused(owner: Browser) -> None:
    answer = owner.client.post("/api/blacklist/import", data=b"a,b\nc,d\n", headers={"X-CSRFToken": owner.token})
    assert answer.get_json()["code"] == "no_phone_column"
