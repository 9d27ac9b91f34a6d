"""The address book in a real browser: a group that is not empty stays and says why, a contact is added, a file is
imported, two contacts are merged, the list is exported. Needs the built interface (`make ui`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from sqlalchemy import select

from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.tenancy.actions import open_enterprise
from crm.addressbook.models import ContactJob, JobState
from crm.jobs import contacts as jobs
from tests.browser.chromium import faults, launch, sign_in
from tests.web.serving import web_process

pytestmark = pytest.mark.browser
PASSWORD = "correct horse 7"
FILE = "姓名,手机,公司\n王丽,13812345678,上海钢铁\n李强,12,\n赵敏,13700001111,\n".encode("gb18030")


@pytest.fixture
def tenant(database: object, redis_client: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(streams, "_client", None)
    monkeypatch.setenv("CALLCENTER_VAR", str(tmp_path))
    with platform_session() as session:
        return open_enterprise(session, "acme", "Acme", "CN", "Asia/Shanghai", "boss", PASSWORD, locale="en")


@pytest.fixture
def page(tenant: int, tmp_path: Path) -> Iterator[tuple[Page, str]]:
    with web_process(tmp_path) as address, sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_context(viewport={"width": 1366, "height": 768}, locale="en-US").new_page()
        page.set_default_timeout(15_000)
        sign_in(page, address, "acme", "boss", PASSWORD)
        yield page, address
        browser.close()


def run_jobs(tenant: int) -> None:
    """What the worker does: run what is queued."""
    with tenant_session(tenant) as session:
        queued = list(session.scalars(select(ContactJob.id).where(ContactJob.state == JobState.QUEUED)))
    assert queued
    for job in queued:
        jobs.run(tenant, job)


@pytest.mark.promise("B1")
@pytest.mark.promise("B2")
def test_an_owner_keeps_an_address_book(page: tuple[Page, str], tenant: int, tmp_path: Path) -> None:
    p, address = page
    p.goto(f"{address}/contacts")
    p.get_by_role("button", name="New group for everybody").click()
    dialog = p.get_by_role("dialog", name="New group")
    dialog.get_by_label("Name", exact=True).fill("Customers")
    dialog.get_by_role("button", name="Add", exact=True).click()
    group = p.get_by_role("treeitem", name=re.compile("^Customers"))
    group.click()
    expect(p).to_have_url(re.compile(r"group=\d+"))
    p.get_by_role("button", name="New contact").first.click()
    panel = p.get_by_role("complementary", name="New contact")
    panel.get_by_label("Name", exact=True).fill("Wang Li")
    panel.get_by_label("Number 1", exact=True).fill("12")
    panel.get_by_role("button", name="Add", exact=True).click()
    expect(panel.get_by_role("alert")).to_have_text(re.compile("This is not a phone number"))
    panel.get_by_label("Number 1", exact=True).fill("138 1234 5678")
    panel.get_by_role("button", name="Add", exact=True).click()
    expect(p.get_by_role("row", name=re.compile("Wang Li"))).to_contain_text("+86 138 1234 5678")
    expect(group).to_contain_text("1")

    group.focus()
    group.press("Delete")
    p.get_by_role("button", name="Delete group").click()
    why = p.get_by_role("dialog", name="“Customers” can't be deleted")
    expect(why.get_by_role("alert")).to_contain_text("1 contact in it")
    assert faults(p) == []
    why.get_by_role("link", name="Wang Li").click()
    expect(p.get_by_role("complementary", name="Wang Li")).to_be_visible()
    assert faults(p) == []
    p.get_by_role("button", name="Close").first.click()

    p.get_by_role("button", name="Import").first.click()
    dialog = p.get_by_role("dialog", name="Import contacts")
    book = tmp_path / "book.csv"
    book.write_bytes(FILE)
    dialog.locator("input[type=file]").set_input_files(book)
    expect(dialog.get_by_text("1 of the first 3 rows can be imported")).to_be_visible()
    expect(dialog.get_by_text("The number is in the address book already")).to_be_visible()
    assert faults(p) == []
    dialog.get_by_label("Number in the address book").focus()
    dialog.get_by_label("Number in the address book").press("Enter")
    p.get_by_role("option", name="Add another contact").click()
    expect(dialog.get_by_text("2 of the first 3 rows can be imported")).to_be_visible()
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog.get_by_text("Waiting for its turn")).to_be_visible()
    run_jobs(tenant)
    expect(dialog.get_by_role("status")).to_contain_text("2 added, 0 overwritten, 1 left out")
    with p.expect_download() as fetched:
        dialog.get_by_role("button", name="Rows left out").click()
    assert "The phone number is too short: 12" in fetched.value.path().read_text("utf-8-sig")
    dialog.get_by_role("button", name="Close", exact=True).click()
    expect(p.get_by_role("row", name=re.compile("王丽"))).to_be_visible()

    p.get_by_role("link", name="Duplicates").click()
    p.get_by_role("button", name="Merge with Wang Li").click()
    dialog = p.get_by_role("dialog", name="Merge two contacts")
    expect(dialog.get_by_role("radio", name="上海钢铁")).to_be_checked()
    dialog.get_by_role("radio", name="王丽").check()
    assert faults(p) == []
    dialog.get_by_role("button", name="Merge", exact=True).click()
    expect(p.get_by_text("No two contacts share a number.")).to_be_visible()

    p.get_by_role("link", name="Contacts", exact=True).click()
    expect(p.get_by_role("row", name=re.compile("王丽.*上海钢铁"))).to_be_visible()
    expect(p.get_by_role("row", name=re.compile("Wang Li"))).to_have_count(0)
    p.get_by_role("button", name="Export").first.click()
    with p.expect_download() as fetched:
        p.get_by_role("menuitem", name="This list as CSV").click()
        expect(p.get_by_role("region", name="Background work").get_by_text(re.compile("Export"))).to_be_visible()
        run_jobs(tenant)
    text = fetched.value.path().read_text("utf-8-sig")
    assert "+8613812345678" in text and "赵敏" in text
