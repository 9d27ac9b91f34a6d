"""Reports as files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from smsgateway.purse.export import Cell, amount
from smsgateway.reports.definitions import NAMES

# Words of the files, by language: files are read where no interface translates them.
WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "group": "Group", "asked": "Texts", "sent": "Sent", "approval": "Waiting for approval", "queued": "Waiting",
        "submitting": "Being handed over", "submitted": "With the carrier", "doubtful": "In doubt",
        "delivered": "Delivered", "failed": "Failed", "expired": "Too late", "refused": "Left out",
        "cancelled": "Cancelled", "segments": "Parts sent", "cost_minor": "Cost", "marketing": "Marketing sent",
        "replies": "Replies", "opt_outs": "Opt-outs", "id": "Text", "send": "Send", "phone": "Number",
        "at": "Asked for",
        "submitted_at": "Taken by the carrier", "final_at": "Ended", "state": "State", "reason": "Reason",
        "route": "Route", "user": "Sent by", "purpose": "Purpose", "kind": "Kind", "body": "Text sent",
        "parts": "Parts", "none": "None",
    },
    "zh-CN": {
        "group": "分组", "asked": "短信数", "sent": "已发送", "approval": "待审批", "queued": "等待发送",
        "submitting": "提交中", "submitted": "运营商已接收", "doubtful": "结果存疑", "delivered": "已送达",
        "failed": "发送失败", "expired": "已过期", "refused": "未发送", "cancelled": "已取消", "segments": "计费条数",
        "cost_minor": "费用", "marketing": "营销发送数", "replies": "回复", "opt_outs": "退订",
        "id": "短信编号", "send": "发送编号",
        "phone": "号码", "at": "创建时间", "submitted_at": "提交时间", "final_at": "完成时间", "state": "状态",
        "reason": "原因", "route": "通道", "user": "发送人", "purpose": "用途", "kind": "类型", "body": "内容",
        "parts": "条数", "none": "无",
    },
}  # fmt: skip
TEXT_COLUMNS: Final = (
    "id", "send", "phone", "at", "submitted_at", "final_at", "state", "reason", "route", "user", "purpose", "kind",
    "parts", "cost_minor", "body",
)  # fmt: skip


def words_of(locale: str) -> Mapping[str, str]:
    """The words of `locale`, English for one that has none."""
    return WORDS.get(locale, WORDS["en"])


def group_header(locale: str) -> list[str]:
    """First row of a file of groups."""
    words = words_of(locale)
    return [words["group"], *(words[n] for n in NAMES)]


def group_rows(
    rows: Sequence[tuple[str, Mapping[str, int]]], labels: Mapping[str, str], currency: str, locale: str
) -> Iterator[list[Cell]]:
    """The rows of a file of groups."""
    none = words_of(locale)["none"]
    for key, figures in rows:
        cells: list[Cell] = [labels.get(key) or key or none]
        cells += [amount(figures[n], currency) if n == "cost_minor" else figures[n] for n in NAMES]
        yield cells


def text_header(locale: str) -> list[str]:
    """First row of a file of texts."""
    return [words_of(locale)[c] for c in TEXT_COLUMNS]


def text_row(
    row: Mapping[str, Any], phone: str, routes: Mapping[str, str], users: Mapping[int, str], zone: ZoneInfo,
    currency: str, locale: str,
) -> list[Cell]:  # fmt: skip
    """A text. `phone` as the reader may see it."""
    words = words_of(locale)
    reason = row["error"] or row["error_code"] or ":".join(p for p in (row["check_name"], row["rule"]) if p)
    return [
        str(row["id"]), str(row["send_id"]), phone, _time(row["created_at"], zone), _time(row["submitted_at"], zone),
        _time(row["final_at"], zone), words.get(row["state"], row["state"]), reason,
        routes.get(str(row["route_id"]), ""), users.get(row["sender_id"], ""), row["purpose"], row["kind"],
        int(row["segments"]), amount(int(row["charged_minor"]), currency), row["body"],
    ]  # fmt: skip


def _time(at: datetime | None, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if at is not None else ""
