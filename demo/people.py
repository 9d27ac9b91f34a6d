"""The demo enterprise's leads: made-up people with the demo carrier's numbers.

Deterministic: the same list on every machine. Names are common surnames with common syllables; companies are a city, a
syllable pair and a trade.
"""

from __future__ import annotations

import random
from typing import TypedDict

from demo.subscribers import demo_numbers, phone_numbers

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_FIRST = "建国秀晓志文海春玉小明永丽金佳德思雨子家欣俊宇嘉"
_SECOND = "伟芳娜敏静强磊军洋勇艳杰娟涛超霞平刚桂华兰英辉红梅玲鹏飞宁悦琳博雪峰"
_CITIES = (
    "上海",
    "北京",
    "广州",
    "深圳",
    "杭州",
    "成都",
    "武汉",
    "南京",
    "西安",
    "重庆",
    "苏州",
    "青岛",
    "厦门",
    "长沙",
)
_BRANDS = ("恒信", "远航", "博雅", "启明", "安泰", "华联", "新程", "同辉", "润达", "佳禾", "瑞丰", "众联")
_TRADES = ("贸易", "科技", "教育", "装饰", "物流", "餐饮", "医疗器械", "电子", "服饰", "咨询")
_INTERESTS = ("宽带升级", "企业云盘", "车险续保", "英语课程", "办公设备", "健身年卡", "装修套餐", "理财讲座")
_NOTES = (
    "去年咨询过，当时没有下单。",
    "网站留言，希望了解价格。",
    "展会上留下名片。",
    "老客户介绍。",
    "上午比较方便接电话。",
    "希望先收到资料再谈。",
    "",
)
_PHONE_PLACES = (4, 9, 14, 19, 24, 29, 34, 39, 44, 49)

TIME_ZONE = "Asia/Shanghai"
"""Zone of every demo city."""


class Person(TypedDict):
    """One lead. `phone_e164` is unique; `note` may be empty; every city lies in TIME_ZONE."""

    name: str
    phone_e164: str
    city: str
    company: str
    interest: str
    note: str


def demo_people(n: int = 500, phones: int = 2) -> list[Person]:
    """`n` leads, `n` ≤ 9000. The numbers of `phones` softphones stand among the first as far as `n` allows."""
    numbers = demo_numbers(n)
    for place, number in zip(_PHONE_PLACES, phone_numbers(phones), strict=False):
        if place < n:
            numbers[place] = number
    rng = random.Random(20240501)
    return [_person(number, rng) for number in numbers]


def _person(number: str, rng: random.Random) -> Person:
    city = rng.choice(_CITIES)
    given = rng.choice(_SECOND) if rng.random() < 0.25 else rng.choice(_FIRST) + rng.choice(_SECOND)
    return Person(
        name=rng.choice(_SURNAMES) + given,
        phone_e164=number,
        city=city,
        company=f"{city}{rng.choice(_BRANDS)}{rng.choice(_TRADES)}有限公司",
        interest=rng.choice(_INTERESTS),
        note=rng.choice(_NOTES),
    )
