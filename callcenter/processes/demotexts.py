"""The demo's texts: a carrier that delivers to a page, routes with prices, credit, and templates to begin with."""

from __future__ import annotations

from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.clock import utc_now
from smsgateway.carriers.models import TextCarrier, TextRoute
from smsgateway.purse.orders import credit
from smsgateway.sending import templates
from smsgateway.texts import Kind

SENDER = "106900001234"
# kind → (route's name, price of a part, what the demo begins with), in fen
_ROUTES = {Kind.SMS: ("演示短信 Demo SMS", 5, 20_000), Kind.MMS: ("演示彩信 Demo MMS", 30, 5_000)}
# name, kind of text, whether agents have it at hand, body
_TEMPLATES = (
    (
        "通话后发送方案 After a call", "service", True,
        "{{name|您好}}，感谢刚才的通话。您关心的方案和报价我稍后发到您的邮箱，有问题直接回复本短信即可。",
    ),
    (
        "预约确认 Appointment", "service", True,
        "{{name|您好}}，已为您登记回访，我们会按约定的时间给您来电。如需改期，请回复本短信。",
    ),
    (
        "续约优惠 Renewal offer", "marketing", False,
        "{{name|尊敬的客户}}，您的服务即将到期，本月续约享八折并免费安装。详情请回复 1，退订回 T",
    ),
    (
        "生日祝福 Birthday", "marketing", False,
        "{{name|您好}}，祝您生日快乐！凭此短信到店可领取一份小礼物，退订回 T",
    ),
)  # fmt: skip


def open_gateway(session: Session, operator: Actor, enterprise_id: int) -> None:
    """The demo carrier, its routes, and credit for the demo's enterprise. In a platform session."""
    carrier = TextCarrier(name="演示通道 Demo carrier", protocol="demo", kinds=[k.value for k in Kind])
    session.add(carrier)
    session.flush()
    for kind, (name, price, begins_with) in _ROUTES.items():
        session.add(
            TextRoute(name=name, carrier_id=carrier.id, kind=kind.value, price_minor=price, sender=SENDER)
        )  # fmt: skip
        credit(
            session, operator, enterprise_id, kind.value, begins_with, "演示 Demo", key=f"demo:{kind}", now=utc_now()
        )
    session.flush()


def fill_templates(session: Session, actor: Actor) -> None:
    """Templates of the demo's enterprise."""
    for name, purpose, at_desk, body in _TEMPLATES:
        templates.create(
            session, actor, {"name": name, "kind": "sms", "purpose": purpose, "at_desk": at_desk, "body": body}
        )
