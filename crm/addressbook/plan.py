"""What the user chose for a file of contacts, and what becomes of one of its rows. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from callcenter import wire
from callcenter.errors import InvalidInput
from crm.addressbook.contacts import LONGEST, MAX_PHONES, MAX_TAG, MAX_TAGS, email_fits
from crm.addressbook.groups import MAX_NAME
from crm.addressbook.models import PhoneLabel
from crm.addressbook.texts import Birthday, birthday
from crm.importing.columns import EmptyRow, Rejected
from crm.importing.plan import DELIMITERS, ENCODINGS, Column, Plan
from crm.phones import SUPPORTED_COUNTRIES, Normaliser

PHONES: Final = {f"phone_{label}": label for label in PhoneLabel}  # these may have several columns
TARGETS: Final = ("name", *PHONES, "company", "title", "email", "birthday", "note", "tags", "group")
RULES: Final = ("skip", "overwrite", "add")
_LIST = re.compile(r"[;；|\n]")
_DEFUSED = re.compile(r"'[=+\-@]")


@dataclass(frozen=True)
class ContactPlan:
    """How to read the file, what its columns mean, what to do with numbers that come twice.

    `in_file`: skip (the first row stays), overwrite (the last one), add (a contact each). `in_book`: skip, overwrite
    (what the row gives replaces what is there; numbers, tags and groups are added), add. `group_id`: where all of them
    go; `make_groups`: the paths of a group column are made below it where they are not there."""

    encoding: str = "utf-8"
    delimiter: str = ","
    sheet: str = ""
    header: bool = True
    country: str = "CN"
    mapping: tuple[Column, ...] = ()
    in_file: str = "skip"
    in_book: str = "skip"
    group_id: int | None = None
    make_groups: bool = False

    @property
    def reading(self) -> Plan:
        """The part that says how to read the file."""
        return Plan(self.encoding, self.delimiter, self.sheet, self.header, self.country)


def read_plan(settings: Mapping[str, Any]) -> ContactPlan:
    """`settings` as a plan. Raises InvalidInput naming the settings that make no sense."""
    try:
        plan = wire.convert(dict(settings), ContactPlan)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"The settings of the import can't be read: {error}", fields={"settings": str(error)}
        ) from None
    wrong: dict[str, str] = {}
    if plan.encoding not in ENCODINGS:
        wrong["encoding"] = f"Choose one of {', '.join(ENCODINGS)}."
    if plan.delimiter not in DELIMITERS:
        wrong["delimiter"] = "Choose comma, tab, semicolon or bar."
    if plan.country not in SUPPORTED_COUNTRIES:
        wrong["country"] = "Choose a country."
    for rule in ("in_file", "in_book"):
        if getattr(plan, rule) not in RULES:
            wrong[rule] = f"Choose one of {', '.join(RULES)}."
    if fault := mapping_fault(plan.mapping):
        wrong["mapping"] = fault
    if wrong:
        raise InvalidInput("Check the marked settings.", fields=wrong)
    return plan


def mapping_fault(mapping: Sequence[Column]) -> str:
    """What is wrong with the meaning of the columns; empty if nothing is."""
    targets = [c.to for c in mapping]
    if not any(t in PHONES or t in ("name", "company") for t in targets):
        return "Say which column holds the name or the phone number."
    columns: set[int] = set()
    for c in mapping:
        if c.to not in TARGETS or c.column < 0:
            return f"Column {c.column + 1} goes to “{c.to}”, which does not exist."
        if c.column in columns:
            return f"Column {c.column + 1} is used twice."
        if targets.count(c.to) > 1 and c.to not in PHONES and c.to not in ("tags", "group"):
            return "Two columns go to the same place; only phones, tags and groups may have several."
        columns.add(c.column)
    return ""


class ContactRow(NamedTuple):
    """A row that becomes a contact. `paths`: its groups as `a/b/c`. (A tuple: many of them are made.)"""

    name: str = ""
    phones: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    email: str = ""
    company: str = ""
    title: str = ""
    birthday: Birthday | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class Judge:
    """Judges rows by a plan. `known`: the paths (lower case) of groups that are there; they may be named even if none
    are to be made. `room`: how many levels of groups a path may have. `width`: how many columns the file has."""

    def __init__(self, plan: ContactPlan, known: frozenset[str], room: int, width: int, this_year: int) -> None:
        self._plan, self._known, self._room, self._this_year = plan, known, room, this_year
        self._phones = [(c.column, PHONES[c.to].value) for c in plan.mapping if c.to in PHONES]
        self._single = {c.to: c.column for c in plan.mapping}
        self._several = {to: [c.column for c in plan.mapping if c.to == to] for to in ("tags", "group")}
        self._normaliser = Normaliser(plan.country)
        self._width = max([width, *(c.column + 1 for c in plan.mapping)])

    def judge(self, row: list[str]) -> ContactRow | Rejected:
        """The contact of `row`, or why it is rejected. Raises EmptyRow if all cells are blank."""
        if len(row) < self._width:
            row = row + [""] * (self._width - len(row))
        elif len(row) > self._width and any(c.strip() for c in row[self._width :]):
            return Rejected("too_many_columns", self._width, row[self._width][:100])
        try:
            found = self._read(row)
        except _Wrong as wrong:
            return wrong.rejected
        if not found.name and not found.phones and not found.company:
            if not any(c.strip() for c in row):
                raise EmptyRow
            return Rejected("contact_empty")
        return found

    def _read(self, row: list[str]) -> ContactRow:
        texts: dict[str, str] = {}
        for to, most in LONGEST.items():
            column = self._single.get(to)
            texts[to] = text = plain(row[column]) if column is not None else ""
            if len(text) > most:
                raise _Wrong("name_too_long" if to == "name" else "text_too_long", column, text[:60])
        if texts["email"] and not email_fits(texts["email"]):
            raise _Wrong("email_wrong", self._single["email"], texts["email"][:100])
        phones = self._read_phones(row)
        return ContactRow(
            texts["name"], tuple(phones), tuple(phones.values()), texts["email"], texts["company"], texts["title"],
            self._read_birthday(row), texts["note"], self._read_tags(row), self._read_paths(row),
        )  # fmt: skip

    def _read_phones(self, row: list[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for column, label in self._phones:
            for part in _LIST.split(row[column]):
                text = plain(part)
                if not text:
                    continue
                phone = self._normaliser.read(text)
                if phone.fault is not None:
                    raise _Wrong(phone.fault.value, column, text[:100])
                found.setdefault(phone.e164, label)
        if len(found) > MAX_PHONES:
            raise _Wrong("phones_too_many", self._phones[0][0], str(MAX_PHONES))
        return found

    def _read_birthday(self, row: list[str]) -> Birthday | None:
        column = self._single.get("birthday")
        text = plain(row[column]) if column is not None else ""
        day = birthday(text, this_year=self._this_year) if text else None
        if text and day is None:
            raise _Wrong("birthday_wrong", column, text[:100])
        return day

    def _read_tags(self, row: list[str]) -> tuple[str, ...]:
        parts = (plain(p) for c in self._several["tags"] for p in re.split(r"[,;，；、|\n]", row[c]))
        tags = tuple(dict.fromkeys(p for p in parts if p))
        if len(tags) > MAX_TAGS or any(len(t) > MAX_TAG for t in tags):
            raise _Wrong("tags_too_many", self._several["tags"][0], f"{MAX_TAGS} × {MAX_TAG}")
        return tags

    def _read_paths(self, row: list[str]) -> tuple[str, ...]:
        paths: dict[str, None] = {}
        for column in self._several["group"]:
            for part in _LIST.split(row[column]):
                names = [n for n in (" ".join(n.split()) for n in plain(part).split("/")) if n]
                path = "/".join(names)
                if not path:
                    continue
                if len(names) > self._room or any(len(n) > MAX_NAME for n in names):
                    raise _Wrong("group_wrong", column, path[:100])
                if not self._plan.make_groups and path.casefold() not in self._known:
                    raise _Wrong("group_unknown", column, path[:100])
                paths[path] = None
        return tuple(paths)


class _Wrong(Exception):
    def __init__(self, reason: str, column: int | None, detail: str) -> None:
        super().__init__(reason)
        self.rejected = Rejected(reason, column, detail)


def plain(cell: str) -> str:
    """What a cell says, without the apostrophe that keeps a spreadsheet from reading it as a formula."""
    text = cell.strip()
    return text[1:] if _DEFUSED.match(text) else text


_WORDS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("phone_work", ("work phone", "office", "business phone", "单位电话", "办公电话", "公司电话", "工作电话")),
    ("phone_home", ("home", "家庭电话", "家电话", "住宅")),
    ("phone_other", ("other phone", "other number", "其他电话", "其它电话")),
    ("email", ("mail", "邮箱", "邮件", "电邮")),
    ("birthday", ("birth", "生日", "出生")),
    ("group", ("group", "分组", "群组", "组别")),
    ("tags", ("tag", "label", "标签")),
    ("note", ("note", "remark", "comment", "备注", "说明")),
    ("phone_mobile", ("phone", "mobile", "tel", "cell", "number", "电话", "手机", "号码", "電話", "手機", "联系方式")),
    ("title", ("title", "position", "职务", "职位", "头衔")),
    ("company", ("company", "organisation", "organization", "公司", "单位", "企业")),
    ("name", ("name", "姓名", "名字", "联系人", "名称")),
)


def propose(header: Sequence[str], first: Sequence[str]) -> list[str]:
    """A target for each column ("" where none is evident): by the words of the header, or a phone and a name by the
    look of the first row."""
    targets: list[str] = []
    for i in range(max(len(header), len(first))):
        title = header[i].strip().casefold() if i < len(header) else ""
        target = next((t for t, words in _WORDS if any(w in title for w in words)), "") if title else ""
        targets.append("" if target in targets and target not in PHONES else target)
    if not any(t in PHONES for t in targets):
        for i, cell in enumerate(first):
            if targets[i] == "" and re.fullmatch(r"\+?[\d\s().\-]{7,20}", plain(cell)):
                targets[i] = "phone_mobile"
                break
    if "name" not in targets and not any(h.strip() for h in header):
        for i, cell in enumerate(first):
            if targets[i] == "" and cell.strip() and not re.search(r"\d|@", cell):
                targets[i] = "name"
                break
    return targets
