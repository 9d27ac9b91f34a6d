"""The file of rejected rows: each with its number and why, in the user's language, before its original columns.

It is written by a second pass over the upload that meets the reasons in row order, so it takes no memory however many
rows were rejected.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from crm.importing.plan import Plan
from crm.importing.rows import read_rows
from crm.importing.sniff import FileKind

# code → (English, Chinese); {detail} is the value or the field it is about.
REASONS: Final[dict[str, tuple[str, str]]] = {
    "phone_missing": ("No phone number", "没有电话号码"),
    "phone_not_a_number": ("Not a phone number: {detail}", "不是电话号码：{detail}"),
    "phone_too_short": ("The phone number is too short: {detail}", "电话号码太短：{detail}"),
    "phone_too_long": ("The phone number is too long: {detail}", "电话号码太长：{detail}"),
    "phone_country": ("There is no such country code: {detail}", "国家代码不存在：{detail}"),
    "phone_invalid": ("No such number range in this country: {detail}", "该国家没有这个号段：{detail}"),
    "name_too_long": ("The name is too long", "姓名太长"),
    "too_many_columns": ("More cells than columns: {detail}", "单元格多于列数：{detail}"),
    "field_required": ("“{detail}” is required and empty", "“{detail}”必填，但为空"),
    "field_too_long": ("“{detail}” is too long", "“{detail}”太长"),
    "field_format": ("“{detail}” is not in the required format", "“{detail}”格式不符"),
    "field_not_number": ("“{detail}” is not a number", "“{detail}”不是数字"),
    "field_not_date": ("“{detail}” is not a date", "“{detail}”不是日期"),
    "field_choice": ("“{detail}” is not one of the choices", "“{detail}”不在可选项中"),
    "time_zone_unknown": ("Unknown time zone: {detail}", "未知时区：{detail}"),
    "priority_not_number": (
        "The priority must be a whole number from -1000 to 1000",
        "优先级须为 -1000 到 1000 的整数",
    ),
    "owner_unknown": ("There is no user “{detail}”", "没有用户“{detail}”"),
    "null_character": ("The row holds a null character", "该行含有空字符（NUL）"),
    "broken_characters": ("Characters are broken (wrong encoding?)", "字符损坏（编码可能不对）"),
    "unbalanced_quote": ("A quotation mark is never closed", "引号没有闭合"),
    "line_too_long": ("The line is too long", "该行太长"),
    "duplicate_file": ("The same number stands in another row of the file", "文件中另一行有相同号码"),
    "duplicate_list": ("The number is in this list already", "号码已在本名单中"),
    "duplicate_enterprise": ("The number is in another list already", "号码已在其他名单中"),
    "contact_empty": ("Neither a name nor a number", "既没有姓名也没有号码"),
    "text_too_long": ("The text is too long: {detail}", "内容太长：{detail}"),
    "email_wrong": ("Not an e-mail address: {detail}", "不是邮箱地址：{detail}"),
    "birthday_wrong": ("Not a date: {detail}", "不是日期：{detail}"),
    "phones_too_many": ("More than {detail} phone numbers", "电话号码超过 {detail} 个"),
    "tags_too_many": ("Too many tags, or too long ones", "标签太多或太长"),
    "group_unknown": ("There is no group “{detail}”", "没有分组“{detail}”"),
    "group_wrong": ("This group lies too deep or its name is too long: {detail}", "分组层级太深或名称太长：{detail}"),
    "duplicate_book": ("The number is in the address book already", "号码已在通讯录中"),
    "blacklisted": ("The number is on the blacklist", "号码在黑名单中"),
}


def sentence(reason: str, detail: str, locale: str) -> str:
    """`reason` in words; `locale` en or zh-CN."""
    english, chinese = REASONS[reason]
    return (english if locale == "en" else chinese).format(detail=detail)


def write_rejects(
    path: Path,
    source: tuple[Path, FileKind],
    plan: Plan,
    rejected: Iterable[tuple[int, str, str]],
    locale: str,
    tick: Callable[[], None],
) -> int:
    """Write the file of `rejected` (row number, reason, detail; in row order); returns how many.

    It appears as a whole or not at all. `tick` is called now and then and may raise to stop.
    """
    todo: Iterator[tuple[int, str, str]] = iter(rejected)
    wanted = next(todo, None)
    count = 0
    part = path.with_suffix(".part")
    words = ("Row", "Reason") if locale == "en" else ("行号", "原因")
    with part.open("w", encoding="utf-8-sig", newline="") as f:
        out = csv.writer(f)
        if not plan.header:
            out.writerow(words)
        for batch in read_rows(source[0], source[1], plan):
            tick()
            if plan.header and batch.first_no == 1 and batch.rows:
                out.writerow([*words, *batch.rows[0]])
            last = batch.first_no + len(batch.rows)
            while wanted is not None and wanted[0] < last:
                number, reason, detail = wanted
                out.writerow([number, sentence(reason, detail, locale), *batch.rows[number - batch.first_no]])
                count += 1
                wanted = next(todo, None)
            if wanted is None:
                break
    part.replace(path)
    return count
