"""What an uploaded file is: its kind, encoding, delimiter and header, found from samples of it.

Encoding: byte order mark → strict UTF-8 → GB18030. Statistical guessers call short Chinese lines Big5, so they are not
asked; the user sees the first rows and can choose another one.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from callcenter.errors import InvalidInput
from crm.importing.plan import DELIMITERS

_HEAD_BYTES = 1 << 20
_SPOTS = 15
_SPOT_BYTES = 64 * 1024
_WORKBOOK_LIMIT_BYTES = 2 << 30  # unpacked; a workbook can't hold more than 1,048,576 rows a sheet
_SIGNATURES = (
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"\x1f\x8b", "a compressed file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls)"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"Rar!", "a compressed file"),
    (b"7z\xbc\xaf", "a compressed file"),
)


class FileKind(StrEnum):
    TEXT = "text"
    WORKBOOK = "workbook"


@dataclass(frozen=True)
class Found:
    """What was found. For workbooks `encoding` and `delimiter` are empty."""

    kind: FileKind
    encoding: str = ""
    delimiter: str = ""


def sniff(path: Path) -> Found:
    """Kind, encoding and delimiter of the file. Raises InvalidInput if it is empty or no table at all."""
    size = path.stat().st_size
    if size == 0:
        raise InvalidInput("The file is empty.", code="file_empty", fields={"file": "Choose a file with rows in it."})
    with path.open("rb") as f:
        head = f.read(_HEAD_BYTES)
    if head.startswith(b"PK\x03\x04"):
        _check_workbook(path)
        return Found(FileKind.WORKBOOK)
    for signature, what in _SIGNATURES:
        if head.startswith(signature):
            raise _no_table(what)
    encoding = find_encoding(path, head, size)
    text = decode_sample(head, encoding)
    if not text.strip("\ufeff \r\n\t"):
        raise InvalidInput("The file is empty.", code="file_empty", fields={"file": "Choose a file with rows in it."})
    controls = sum(1 for c in text if c < " " and c not in "\r\n\t\f\v\x1a")
    if controls > len(text) * 0.02:
        raise _no_table("a binary file")
    return Found(FileKind.TEXT, encoding, find_delimiter(text))


def _no_table(what: str) -> InvalidInput:
    return InvalidInput(
        f"This is {what}, not a table.",
        code="file_not_a_table",
        fields={"file": "Save it as CSV, TSV or XLSX and choose that file."},
    )


def _check_workbook(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as z:
            members = z.infolist()
    except (zipfile.BadZipFile, OSError):
        raise _no_table("a damaged or compressed file") from None
    if not any(m.filename == "xl/workbook.xml" for m in members):
        raise _no_table("a compressed file")
    if sum(m.file_size for m in members) > _WORKBOOK_LIMIT_BYTES:
        raise InvalidInput(
            "The workbook is too large when unpacked.",
            code="file_too_large",
            fields={"file": "Save the sheet as CSV and choose that file."},
        )


def find_encoding(path: Path, head: bytes, size: int) -> str:
    """Encoding by mark, else UTF-8 if the head and samples all over the file are, else GB18030."""
    for mark, name in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if head.startswith(mark):
            return name
    if len(head) >= 4 and head.count(0) >= len(head) // 5:
        # Without a mark, every other byte of western text is zero in UTF-16.
        odd, even = head[1::2].count(0), head[0::2].count(0)
        if odd > 10 * even:
            return "utf-16-le"
        if even > 10 * odd:
            return "utf-16-be"
    if not _is_utf8(head, final=size <= len(head)):
        return "gb18030"
    with path.open("rb") as f:
        for i in range(1, _SPOTS + 1):
            at = size * i // (_SPOTS + 1)
            if at < len(head):
                continue
            f.seek(at)
            spot = f.read(_SPOT_BYTES).lstrip(bytes(range(0x80, 0xC0)))  # may begin inside a character
            if not _is_utf8(spot, final=False):
                return "gb18030"
    return "utf-8"


def _is_utf8(sample: bytes, *, final: bool) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")("strict").decode(sample, final)
    except UnicodeDecodeError:
        return False
    return True


def decode_sample(sample: bytes, encoding: str) -> str:
    """`sample` as text; broken characters become U+FFFD, a cut one at the end is left out."""
    text = codecs.getincrementaldecoder(encoding)("replace").decode(sample, False)
    return io.IncrementalNewlineDecoder(None, translate=True).decode(text).removeprefix("\ufeff")


def find_delimiter(text: str) -> str:
    """The delimiter that cuts the first lines into the most columns of equal number; a comma if none does."""
    lines = [line for line in text.split("\n")[:50] if line.strip()][:40]
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        if not widths:
            continue
        common = max(set(widths), key=widths.count)
        if common > 1:
            score = widths.count(common) / len(widths) * min(common, 20) ** 0.5
            if score > best_score:
                best, best_score = delimiter, score
    return best


_DIGITS = re.compile(r"[\d\s+().\-]{5,}")


def looks_like_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names columns: no number-like cell in it, while a later row has one."""
    if not rows or any(_DIGITS.fullmatch(c.strip()) for c in rows[0] if c.strip()):
        return False
    return any(_DIGITS.fullmatch(c.strip()) for row in rows[1:11] for c in row if c.strip()) or len(rows) == 1


_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("phone", ("phone", "mobile", "tel", "cell", "number", "电话", "手机", "号码", "電話", "手機", "联系方式")),
    ("time_zone", ("time zone", "timezone", "time_zone", "时区")),
    ("priority", ("priority", "优先")),
    ("owner", ("owner", "agent", "归属", "负责人", "坐席", "业务员")),
    ("name", ("name", "姓名", "名字", "客户", "联系人", "名称")),
)


def propose(header: Sequence[str], first: Sequence[str], fields: Sequence[tuple[str, str]]) -> list[str]:
    """A target for each column ("" where none is evident): by the words of the header, by the custom fields' labels
    (`fields`: key, label), and a phone by the look of the first row when there is no header."""
    labels = {label.strip().casefold(): key for key, label in fields} | {key.casefold(): key for key, _ in fields}
    targets: list[str] = []
    for i in range(max(len(header), len(first))):
        title = header[i].strip().casefold() if i < len(header) else ""
        target = ""
        if title in labels:
            target = f"field:{labels[title]}"
        elif title:
            target = next((t for t, words in _WORDS if any(w in title for w in words)), "")
        if target != "phone" and target in targets:
            target = ""
        targets.append(target)
    if "phone" not in targets:
        for i, cell in enumerate(first):
            if targets[i] == "" and re.fullmatch(r"\+?[\d\s().\-]{7,20}", cell.strip()):
                targets[i] = "phone"
                break
    return targets
