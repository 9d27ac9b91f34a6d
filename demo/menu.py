"""The demo enterprise's menu, as the editor would store it: a language, then two levels of keys that lead to queues.

A caller chooses Chinese or English; VIPs go to an agent at once; the others choose sales, service (an order's number is
asked for, and is on the agent's card), or say how they liked us.
"""

from __future__ import annotations

from typing import Any

NAME = "总机菜单 Main menu"
NOTE = "演示 · Demo"

Node = dict[str, Any]


def main_menu(*, sales: int, service: int) -> dict[str, Any]:
    """The graph (`ivr.flow.Flow` as plain data) that leads to the queues of these ids."""
    return {"start": "language", "language": "zh", "nodes": [*_entry(service), *_first(sales), *_second(service)]}


def _entry(service: int) -> list[Node]:
    greeting = ["say:zh:您好，欢迎致电示例企业。中文服务请按一。", "say:en:For English, press two."]
    return [
        _node("language", "menu", "语言 Language", 40, 240, {
            "prompts": {"any": greeting}, "keys": {"1": "中文", "2": "English"}, "timeout_s": 4, "tries": 2,
        }, {"1": "zh", "2": "en", "timeout": "zh", "invalid": "zh"}),
        _node("zh", "language", "中文", 340, 160, {"language": "zh"}, {"next": "who"}),
        _node("en", "language", "English", 340, 340, {"language": "en"}, {"next": "who"}),
        _node("who", "branch", "谁来电 Who calls", 620, 240, {
            "cases": [{"name": "vip", "kind": "vip"}],
        }, {"vip": "vip", "otherwise": "main"}),
        _node("vip", "queue", "贵宾 VIP", 900, 60, {"queue": service, "priority": 20, "last_agent": True}, {}),
    ]  # fmt: skip


def _first(sales: int) -> list[Node]:
    return [
        _node("main", "menu", "主菜单 Main menu", 900, 240, {
            "prompts": _said(
                "销售咨询请按一，客户服务请按二，评价我们的服务请按三。",
                "For sales, press one. For service, press two. To tell us how we did, press three.",
            ),
            "keys": {"1": "销售 Sales", "2": "服务 Service", "3": "评价 Survey"},
            "invalid_prompts": _said("没有这个选项。", "That is not one of the choices."),
        }, {"1": "sales", "2": "service", "3": "survey", "timeout": "any_service", "invalid": "any_service"}),
        _node("sales", "queue", "销售 Sales", 1220, 60, {"queue": sales}, {}),
        _node("survey", "survey", "满意度 Satisfaction", 1220, 560, {
            "question": "对我们的服务满意吗 How satisfied are you", "variable": "mark",
            "prompts": _said(
                "请用一到五分评价我们的服务，五分表示非常满意。",
                "Please rate our service from one to five. Five is very satisfied.",
            ),
            "keys": {"1": "1", "2": "2", "3": "3", "4": "4", "5": "5"},
        }, {"next": "thanks", "timeout": "thanks"}),
        _node("thanks", "hang_up", "感谢 Thanks", 1520, 560, {"prompts": {"any": ["thanks"]}}, {}),
    ]  # fmt: skip


def _second(service: int) -> list[Node]:
    return [
        _node("service", "menu", "客户服务 Service", 1220, 300, {
            "prompts": _said(
                "查询订单请按一，报修请按二，返回请按星号键。",
                "For an order, press one. For repairs, press two. To go back, press star.",
            ),
            "keys": {"1": "订单 Orders", "2": "报修 Repairs", "*": "返回 Back"},
        }, {"1": "order", "2": "repairs", "*": "main", "timeout": "any_service", "invalid": "any_service"}),
        _node("order", "digits", "订单号 Order number", 1520, 240, {
            "prompts": _said("请输入订单号，以井号键结束。", "Please enter your order number, and then the hash key."),
            "variable": "order", "least": 3, "most": 10, "tries": 2,
            "invalid_prompts": _said("订单号有误。", "That is not an order number."),
        }, {"next": "read_back", "timeout": "any_service", "invalid": "any_service"}),
        _node("read_back", "say", "复述 Read back", 1820, 240, {
            "text": {
                "zh": "您的订单号是 {order:digits}，正在为您转接。",
                "en": "Your order is {order:digits}. One moment.",
            },
        }, {"next": "any_service"}),
        _node("any_service", "queue", "服务队列 Service queue", 2120, 300, {"queue": service, "last_agent": True}, {}),
        _node("repairs", "queue", "报修 Repairs", 1520, 420, {"queue": service, "priority": 5}, {}),
    ]  # fmt: skip


def _node(
    node_id: str, verb: str, title: str, x: float, y: float, settings: dict[str, Any], ways: dict[str, str]
) -> Node:
    return {"id": node_id, "verb": verb, "title": title, "settings": settings, "ways": ways, "x": x, "y": y}


def _said(zh: str, en: str) -> dict[str, list[str]]:
    return {"zh": [f"say:zh:{zh}"], "en": [f"say:en:{en}"]}
