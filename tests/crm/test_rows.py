"""The reader of files: whatever is in them, memory stays small and one broken row costs itself only."""

from __future__ import annotations

import csv
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.importing import rows as rows_module
from crm.importing.plan import Plan
from crm.importing.rows import read_rows
from crm.importing.sniff import FileKind, find_delimiter, sniff


def read(path: Path, plan: Plan | None = None) -> tuple[list[list[str]], dict[int, str]]:
    found: list[list[str]] = []
    bad: dict[int, str] = {}
    for batch in read_rows(path, FileKind.TEXT, plan or Plan()):
        assert batch.first_no == len(found) + 1
        bad |= {len(found) + i: reason for i, reason in batch.bad.items()}
        found += batch.rows
    return found, bad


_CELL = st.text(st.sampled_from('ab,"\n\t;|中'), max_size=8)


@settings(max_examples=200, deadline=None)
@given(table=st.lists(st.lists(_CELL, min_size=2, max_size=4), min_size=1, max_size=30), chunk=st.integers(5, 200))
def test_what_csv_writes_is_read_back_whatever_the_chunks(
    table: list[list[str]], chunk: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_text(text.getvalue(), "utf-8")
    whole = rows_module.CHUNK_BYTES
    rows_module.CHUNK_BYTES = chunk
    try:
        found, bad = read(path)
    finally:
        rows_module.CHUNK_BYTES = whole
    assert bad == {}
    assert found == table


def test_an_unclosed_quote_costs_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,1\n"b,2\n' + "".join(f"c{i},3\n" for i in range(500)))
    found, bad = read(path)
    assert len(found) == 502
    assert bad == {1: "unbalanced_quote"}


def test_a_huge_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with path.open("wb") as f:
        for _ in range(60):
            f.write(b"x" * 1_000_000)
    tracemalloc.start()
    found, bad = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert set(bad.values()) == {"line_too_long"}
    assert len(bad) == len(found)
    assert peak < 20_000_000


def test_broken_characters_make_one_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("王,1\n".encode() + b"\xff\xfe,2\n" + "李,3\n".encode())
    found, bad = read(path)
    assert [r[0] for r in found] == ["王", found[1][0], "李"]
    assert bad == {1: "broken_characters"}


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("delimiter", "name"), [(",", "comma"), ("\t", "tab"), (";", "semicolon"), ("|", "bar")])
def test_delimiter_and_line_ending_are_found(tmp_path: Path, ending: str, delimiter: str, name: str) -> None:
    path = tmp_path / f"{name}.csv"
    path.write_bytes(ending.join(delimiter.join((f"n{i}", f"1381234{i:04}", "x, y")) for i in range(50)).encode())
    assert sniff(path).delimiter == delimiter or delimiter == ","
    found, bad = read(path, Plan(delimiter=delimiter))
    assert len(found) == 50 and not bad


@pytest.mark.promise("L1")
@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("姓名,手机\n王丽,13812345678\n".encode(), "utf-8"),
        ("姓名,手机\n王丽,13812345678\n".encode("utf-8-sig"), "utf-8"),
        ("姓名,手机\n王丽,13812345678\n".encode("gb18030"), "gb18030"),
        ("姓名,手机\n王丽,13812345678\n".encode("utf-16"), "utf-16"),
        ("name,phone\nWang,13812345678\n".encode("utf-16-le"), "utf-16-le"),
        (b"a,b\n" * 400_000 + "王,1\n".encode("gb18030") * 100_000, "gb18030"),
    ],
)
def test_encoding_is_found(tmp_path: Path, content: bytes, encoding: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    assert sniff(path).encoding == encoding


def test_a_comma_is_the_delimiter_of_one_column() -> None:
    assert find_delimiter("13812345678\n13912345678\n") == ","
