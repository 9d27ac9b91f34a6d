"""Files into lists through the real job, PostgreSQL and Valkey."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import threading
import time

import openpyxl
import pytest
from rq import Queue
from sqlalchemy import text

from callcenter.audit.models import AuditEntry
from callcenter.db.session import engine, tenant_session
from callcenter.events import streams
from crm.importing import loading
from crm.jobs import imports as jobs
from crm.models import BlacklistEntry, FieldDef, ImportState
from tests.crm.conftest import Floor, counts

ROWS = "姓名,手机\n王丽,13812345678\n李强,139 1234 5678\n"


@pytest.mark.promise("L1")
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("gb18030", b""), ("big5", b""), ("utf-16", b"")],
)
def test_each_encoding_gives_the_same_leads(floor: Floor, encoding: str, mark: bytes) -> None:
    content = mark + (ROWS.replace("丽", "麗").replace("强", "強") if encoding == "big5" else ROWS).encode(
        encoding, "replace"
    )
    floor.import_(content, encoding=encoding)
    leads = floor.leads()
    assert set(leads) == {"+8613812345678", "+8613912345678"}
    assert leads["+8613812345678"].name[0] == "王"
    assert leads["+8613812345678"].time_zone == "Asia/Shanghai"


@pytest.mark.promise("L1")
def test_a_workbook_gives_leads_and_its_numbers_keep_their_digits(floor: Floor) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in [("name", "phone"), ("Wang", 13812345678), ("Li", "139-1234-5678"), ("Bad", 12)]:
        sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    job = floor.import_(buffer.getvalue())
    assert counts(job, "accepted", "rejected") == {"accepted": 2, "rejected": 1}
    assert set(floor.leads()) == {"+8613812345678", "+8613912345678"}


@pytest.mark.promise("L1")
def test_rejected_rows_are_told_with_reason_beside_their_columns(floor: Floor) -> None:
    content = (
        b"name,phone\nA,13812345678\nB,12\nC,\n\nD,13812345678\nE,13912345678,extra\n\"F,1391\nG,13700000000\n"
        b"H\x00,13700000001\n"
    )  # fmt: skip
    job = floor.import_(content)
    assert job.state == ImportState.DONE
    assert counts(job, "accepted", "rejected", "duplicate_file") == {"accepted": 2, "rejected": 5, "duplicate_file": 1}
    lines = floor.rejected(job).splitlines()
    assert lines[0] == "Row,Reason,name,phone"
    assert lines[1] == "3,The phone number is too short: 12,B,12"
    assert lines[2] == "4,No phone number,C,"
    assert lines[3] == "6,The same number stands in another row of the file,D,13812345678"
    assert lines[4].startswith("7,More cells than columns")
    assert "never closed" in lines[5]
    assert "null character" in lines[6]
    assert set(floor.leads()) == {"+8613812345678", "+8613700000000"}


@pytest.mark.promise("L1")
def test_numbers_already_in_the_list_are_skipped_or_updated(floor: Floor) -> None:
    floor.import_(b"name,phone\nOld,13812345678\n")
    skipped = floor.import_(b"name,phone\nNew,13812345678\nB,13912345678\n")
    assert counts(skipped, "accepted", "duplicate_list") == {"accepted": 1, "duplicate_list": 1}
    assert floor.leads()["+8613812345678"].name == "Old"
    updated = floor.import_(b"name,phone\nNew,13812345678\n", duplicates={"list": "update"})
    assert counts(updated, "accepted", "updated", "duplicate_list") == {
        "accepted": 0,
        "updated": 1,
        "duplicate_list": 0,
    }
    assert floor.leads()["+8613812345678"].name == "New"


@pytest.mark.promise("L1")
def test_the_last_row_wins_where_the_user_says_so(floor: Floor) -> None:
    job = floor.import_(b"name,phone\nA,13812345678\nB,13812345678\nC,13912345678\n", duplicates={"file": "update"})
    assert counts(job, "accepted", "duplicate_file") == {"accepted": 2, "duplicate_file": 1}
    assert floor.leads()["+8613812345678"].name == "B"


@pytest.mark.promise("L1")
@pytest.mark.parametrize(("rule", "here", "elsewhere"), [("keep", 2, "Old"), ("skip", 1, "Old"), ("update", 1, "New")])
def test_numbers_in_other_lists_are_kept_skipped_or_updated(floor: Floor, rule: str, here: int, elsewhere: str) -> None:
    other = floor.new_list("Spring")
    import_id = floor.upload(b"name,phone\nOld,13812345678\n", list_id=other)
    floor.start(import_id)
    jobs.run(floor.tenant, import_id)
    job = floor.import_(b"name,phone\nNew,13812345678\nB,13912345678\n", duplicates={"enterprise": rule})
    assert len(floor.leads()) == here
    assert floor.leads(other)["+8613812345678"].name == elsewhere
    assert job.counts["duplicate_enterprise"] == (1 if rule == "skip" else 0)


@pytest.mark.promise("L1")
@pytest.mark.promise("S4")
def test_blacklisted_numbers_are_scrubbed(floor: Floor) -> None:
    with tenant_session(floor.tenant) as s:
        s.add_all(
            [BlacklistEntry(phone_e164="+8613812345678"), BlacklistEntry(phone_e164="+8613912345678", enabled=False)]
        )
    job = floor.import_(b"name,phone\nA,13812345678\nB,13912345678\n")
    assert counts(job, "accepted", "blacklisted") == {"accepted": 1, "blacklisted": 1}
    assert "on the blacklist" in floor.rejected(job)


@pytest.mark.promise("L2")
def test_several_phones_fields_priority_and_owner_reach_the_lead(floor: Floor) -> None:
    with tenant_session(floor.tenant) as s:
        s.add_all(
            [
                FieldDef(key="city", label="City", kind="choice", choices=["Beijing", "Shanghai"]),
                FieldDef(key="born", label="Born", kind="date"),
                FieldDef(key="note", label="Note", kind="text"),
            ]
        )
    columns = ("name", "phone", "phone", "field:city", "field:born", "field:note", "priority", "owner", "time_zone")
    job = floor.import_(
        "n,p,q,c,b,t,pr,o,z\n"
        'A,13812345678,010-62345678,Beijing,1990年5月6日,"say ""hi""\nback\\slash",5,Admin,Asia/Urumqi\n'
        "B,,13912345678,,,,,,\n"
        "C,13712345678,,Paris,,,,,\n"
        "D,13612345678,,,soon,,,,\n"
        "E,13512345678,,,,,high,,\n"
        "F,13312345678,,,,,,nobody,\n".encode(),
        columns,
    )
    assert counts(job, "accepted", "rejected") == {"accepted": 2, "rejected": 4}
    lead = floor.leads()["+8613812345678"]
    assert lead.alt_phones == ["+861062345678"]
    assert lead.fields == {"city": "Beijing", "born": "1990-05-06", "note": 'say "hi"\nback\\slash'}
    assert (lead.priority, lead.owner_id, lead.time_zone) == (5, floor.user, "Asia/Urumqi")
    assert "+8613912345678" in floor.leads()


@pytest.mark.promise("L1")
def test_an_import_is_audited_with_its_counts(floor: Floor) -> None:
    floor.import_(ROWS.encode())
    with tenant_session(floor.tenant) as s:
        entry = s.query(AuditEntry).filter(AuditEntry.action == "import").one()
        assert (entry.actor_id, entry.after) == (floor.user, {**(entry.after or {}), "accepted": 2})


@pytest.mark.promise("L1")
def test_a_cancelled_import_leaves_nothing(floor: Floor) -> None:
    import_id = floor.upload(b"name,phone\n" + b"".join(b"A,138%08d\n" % i for i in range(400_000)))
    floor.start(import_id)
    thread = threading.Thread(target=jobs.run, args=(floor.tenant, import_id))
    thread.start()
    streams.client().set(jobs.cancel_key(import_id), 1, ex=60)
    thread.join(60)
    assert floor.job(import_id).state == ImportState.CANCELLED
    assert floor.leads() == {}
    document = streams.snapshot(floor.tenant, jobs.topic(import_id))
    assert document["state"] == "cancelled"


@pytest.mark.promise("L1")
@pytest.mark.promise("P4")
def test_a_killed_worker_leaves_nothing_and_its_import_runs_again(floor: Floor) -> None:
    import_id = floor.upload(b"name,phone\n" + b"".join(b"A,138%08d\n" % i for i in range(200_000)))
    floor.start(import_id)
    code = (
        "from callcenter.db.models import load_all; from crm.jobs import imports;"
        f" load_all(); imports.run({floor.tenant}, {import_id!r})"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
    lease = f"import:lease:{import_id}"
    end = time.monotonic() + 30
    while not streams.client().exists(lease) and time.monotonic() < end:
        time.sleep(0.02)
    worker.send_signal(signal.SIGKILL)
    worker.wait(10)
    assert floor.job(import_id).state == ImportState.RUNNING
    assert floor.leads() == {}
    assert jobs.recover() == 0  # the lease is still held: nobody knows yet that it is dead
    streams.client().delete(lease)  # as it runs out after 15 s
    assert jobs.recover() == 1
    assert Queue(jobs.QUEUE, connection=streams.client()).job_ids == [f"import-{import_id}"]
    end = time.monotonic() + 30
    while floor.job(import_id).state != ImportState.DONE and time.monotonic() < end:
        jobs.run(floor.tenant, import_id)  # the dead session's lock goes when the server notices
        time.sleep(0.1)
    assert floor.job(import_id).counts["accepted"] == 200_000


def test_a_queued_import_whose_job_was_lost_is_queued_again(floor: Floor) -> None:
    import_id = floor.upload(ROWS.encode())
    floor.start(import_id)
    assert jobs.recover() == 1
    assert jobs.recover() == 0
    jobs.run(floor.tenant, import_id)
    jobs.run(floor.tenant, import_id)  # delivered twice: the second finds nothing to do
    assert floor.job(import_id).counts["accepted"] == 2


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file_empty"),
        (b"\n\n", "file_empty"),
        (bytes(range(256)) * 40, "file_not_a_table"),
        (b"%PDF-1.7 ...", "file_not_a_table"),
        (b"PK\x03\x04garbage", "file_not_a_table"),
    ],
)
def test_what_is_no_table_fails_with_a_plain_reason(floor: Floor, content: bytes, code: str) -> None:
    job = floor.import_(content)
    assert job.state == ImportState.FAILED
    assert job.error is not None and job.error["code"] == code
    assert floor.leads() == {}


def test_deleting_a_list_deletes_its_leads(floor: Floor) -> None:
    floor.import_(ROWS.encode())
    with tenant_session(floor.tenant) as s:
        s.execute(text("DELETE FROM lead_list"))
    with engine().connect() as c:
        assert c.execute(text("SELECT count(*) FROM lead")).scalar_one() == 0


@pytest.mark.promise("L1")
def test_duplicates_are_found_also_when_the_file_holds_more_numbers_than_are_remembered(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "REMEMBERED", 3)
    monkeypatch.setattr(loading, "SLICE", 2)
    rows = [f"N{i},1381234{i % 6:04}" for i in range(12)]
    job = floor.import_(("name,phone\n" + "\n".join(rows)).encode())
    assert counts(job, "accepted", "duplicate_file") == {"accepted": 6, "duplicate_file": 6}
    assert {lead.name for lead in floor.leads().values()} == {f"N{i}" for i in range(6)}


@pytest.mark.promise("L1")
@pytest.mark.parametrize("seed", range(8))
def test_slices_and_what_is_remembered_change_nothing(floor: Floor, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    draw = random.Random(seed)
    monkeypatch.setattr(loading, "SLICE", draw.choice([1, 2, 5, 50]))
    monkeypatch.setattr(loading, "REMEMBERED", draw.choice([0, 3, 10, 1000]))
    with tenant_session(floor.tenant) as s:
        s.add(BlacklistEntry(phone_e164="+8613812340001", reason=""))
    there: dict[str, str] = {}
    for turn in range(2):  # into an empty list, and into one that holds some
        rows = [(f"T{turn} N{i}", draw.choice(["12", f"1381234{draw.randrange(25):04}"])) for i in range(30)]
        job = floor.import_(("name,phone\n" + "\n".join(",".join(r) for r in rows)).encode())
        told = dict.fromkeys(("accepted", "rejected", "blacklisted", "duplicate_file", "duplicate_list"), 0)
        seen: set[str] = set()
        for name, number in rows:
            if number == "12":
                told["rejected"] += 1
            elif number == "13812340001":
                # The blacklist is asked for what is staged: for the first row of a number that is still remembered.
                told["blacklisted"] += 1
            elif number in seen:
                told["duplicate_file"] += 1
            elif number in there:
                told["duplicate_list"] += 1
            else:
                there[number], told["accepted"] = name, told["accepted"] + 1
            seen.add(number)
        got = counts(job, *told)
        of_black = sum(n == "13812340001" for _, n in rows)
        assert got["blacklisted"] + got["duplicate_file"] == told["blacklisted"] + told["duplicate_file"]
        assert got["blacklisted"] >= min(1, of_black)
        assert {k: v for k, v in got.items() if k in ("accepted", "rejected", "duplicate_list")} == {
            k: told[k] for k in ("accepted", "rejected", "duplicate_list")
        }
        assert len(floor.rejected(job).splitlines()) == 1 + 30 - got["accepted"]
        assert {phone: lead.name for phone, lead in floor.leads().items()} == {f"+86{n}": v for n, v in there.items()}
