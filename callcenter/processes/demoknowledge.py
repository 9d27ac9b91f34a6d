"""The demo enterprise's knowledge base: what its agents are asked, in both languages, for its campaign and queues."""

from __future__ import annotations

from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.clock import utc_now
from crm.knowledge import actions
from crm.knowledge.categories import add_category

# category below which the next stand → those below it
_CATEGORIES = {"产品 Products": ("宽带 Broadband",), "服务 Service": ()}
_PRICES = """\
## 套餐

1. **100M**：每月 59 元，适合一两个人上网
2. **300M**：每月 89 元，适合一家人看视频
3. **1000M**：每月 129 元，含一台 Wi-Fi 6 路由器

老客户续约首年 **八折**，免费安装。优惠只能用一次，不能与其他活动同时使用。

## Plans

- **100M**: 59 yuan a month, for one or two people
- **300M**: 89 yuan a month, for a family that watches videos
- **1000M**: 129 yuan a month, with a Wi-Fi 6 router

Who renews gets **20 % off** in the first year and free installation. The offer holds once.
"""
_REFUND = """\
## 七天无理由

- 开通后 **7 天内** 可以退订，费用全额退回
- 路由器需一并寄回，运费由我们承担
- 退款在收到设备后 **3 个工作日** 内到账

超过 7 天：按已使用的天数扣费，余额退回原支付账户。

> 先表示理解，再问原因。一半的客户只是信号不好，可以先约上门检查。

## Within 7 days

- Cancel within **7 days** of the start and all money comes back
- The router is sent back at our cost
- The refund arrives **3 working days** after we have the router

Later the days used are charged, and the rest goes back the way it was paid.
"""
_SLOW = """\
## 先查这三项

1. 请客户看光猫：**光信号灯红色** 表示线路断了，直接报修
2. 用网线连电脑测速：有线正常而无线慢，是 Wi-Fi 的问题
3. 断电 30 秒再开，多数情况会恢复

还不行就登记上门：市区 **24 小时内**，郊区 48 小时内。

## Three things first

1. Is the **light on the fibre box red**? Then the line is cut: order a repair at once
2. Test the speed over a cable: fast there and slow by radio is a matter of Wi-Fi
3. Switch off for 30 seconds: that mends most of it

If not, book a visit: in town within **24 hours**, outside within 48.
"""
_MOVE = """\
## 搬家移机

- 新地址有覆盖：免费移机，**5 个工作日** 内上门
- 新地址没有覆盖：可以退订，不收违约金
- 需要的信息：新地址、联系电话、方便上门的两个时间段

## Moving house

- Covered at the new address: we move the line for free within **5 working days**
- Not covered: the customer may leave without a fee
- Ask for the new address, a number and two times that suit
"""
_PRIVACY = """\
## 怎么有我的号码

您之前在我们的网站或营业厅留过联系方式，我们只用它来通知续约和优惠。

不想再接到电话：马上登记，结果选 **请勿致电**，之后不会再拨打。

## Where did you get my number

You left it on our site or in one of our shops. We use it for renewals and offers, nothing else.

Whoever wants no more calls: choose the outcome **Do not call**. The number is not dialed again.
"""


def fill_knowledge(session: Session, actor: Actor, *, campaign: int, service: int, sales: int) -> None:
    """Categories, and five published articles; `campaign`, `service` and `sales` are what some of them belong to."""
    ids: dict[str, int] = {}
    for top, below in _CATEGORIES.items():
        ids[top] = add_category(session, actor, name=top).id
        for name in below:
            ids[name] = add_category(session, actor, name=name, parent_id=ids[top]).id
    articles: tuple[tuple[str, str, str | None, list[str], list[int], list[int]], ...] = (
        ("续约套餐与价格 Plans and prices", _PRICES, "宽带 Broadband", ["价格", "续约", "price"], [campaign], [sales]),
        ("退订与退款 Cancelling and refunds", _REFUND, "服务 Service", ["退款", "refund"], [], [service]),
        ("网速慢怎么办 Slow internet", _SLOW, "宽带 Broadband", ["故障", "Wi-Fi"], [], [service]),
        ("搬家移机 Moving house", _MOVE, "服务 Service", ["移机", "moving"], [], []),
        ("客户问号码从哪来 About the number", _PRIVACY, None, ["隐私", "privacy"], [campaign], []),
    )
    now = utc_now()
    for title, body, category, tags, campaigns, queues in articles:
        given = {
            "title": title, "body": body, "tags": tags, "category_id": ids[category] if category else None,
            "campaign_ids": campaigns, "queue_ids": queues,
        }  # fmt: skip
        actions.publish(session, actor, actions.create(session, actor, given, now).id, now)
