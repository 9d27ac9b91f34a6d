"""What a new enterprise starts with: the built-in dispositions, and a rule set for its country.

Idempotent: an enterprise that has some keeps them. The call windows are a careful start, not legal advice: for the US
those of 47 CFR 64.1200(c)(1) (8 a.m. to 9 p.m. at the called party's place), elsewhere narrower ones with, in China, a
break at noon. An administrator sets what holds for them. The module must be imported where enterprises are opened.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callcenter.compliance.models import RuleSet
from callcenter.tenancy.actions import on_enterprise_opened
from callcenter.tenancy.models import Enterprise
from crm.models import NO_OUTCOME, Disposition

_DAY_S = 86400
DISPOSITIONS: tuple[dict[str, Any], ...] = (
    {"code": "sale", "name": "Sale", "name_zh": "成交", "contact": True, "sale": True, "final": True},
    {
        "code": "interested", "name": "Interested", "name_zh": "有意向", "contact": True,
        "retry_after_s": 2 * _DAY_S, "max_tries": 3,
    },
    {"code": "callback", "name": "Call back", "name_zh": "约定回拨", "contact": True, "callback": True},
    {
        "code": "not_interested", "name": "Not interested", "name_zh": "无意向", "contact": True,
        "not_interested": True, "final": True,
    },
    {"code": "wrong_number", "name": "Wrong number", "name_zh": "号码有误", "wrong_number": True, "final": True},
    {
        "code": "do_not_call", "name": "Do not call", "name_zh": "不再致电", "contact": True, "not_interested": True,
        "do_not_call": True, "final": True,
    },
    {
        "code": "not_available", "name": "Not available", "name_zh": "不方便接听", "retry_after_s": 4 * 3600,
        "max_tries": 3,
    },
    {
        "code": "machine", "name": "Answering machine", "name_zh": "语音信箱", "human": False,
        "retry_after_s": 4 * 3600, "max_tries": 3,
    },
)  # fmt: skip
NO_OUTCOME_GIVEN: dict[str, Any] = {
    "code": NO_OUTCOME, "name": "No outcome given", "name_zh": "未填写结果", "system": True, "position": 99,
    "retry_after_s": 4 * 3600, "max_tries": 3,
}  # fmt: skip
_EVERY_DAY = [1, 2, 3, 4, 5, 6, 7]
_WINDOWS: dict[str, list[dict[str, Any]]] = {
    "CN": [
        {"days": _EVERY_DAY, "from": "09:00", "to": "12:00"},
        {"days": _EVERY_DAY, "from": "14:00", "to": "20:00"},
    ],
    "US": [{"days": _EVERY_DAY, "from": "08:00", "to": "21:00"}],
}
_OTHERWISE: list[dict[str, Any]] = [{"days": _EVERY_DAY, "from": "09:00", "to": "20:00"}]


@on_enterprise_opened
def give_defaults(session: Session, tenant_id: int) -> None:
    """Add what is missing. Runs in the transaction that opens the enterprise."""
    if not session.scalar(select(func.count(Disposition.id)).where(Disposition.tenant_id == tenant_id)):
        for place, values in enumerate(DISPOSITIONS, 1):
            session.add(Disposition(tenant_id=tenant_id, built_in=True, position=place, hot_key=place, **values))
        session.add(Disposition(tenant_id=tenant_id, built_in=True, **NO_OUTCOME_GIVEN))
    if not session.scalar(select(func.count(RuleSet.id)).where(RuleSet.tenant_id == tenant_id)):
        country = session.scalar(select(Enterprise.country).where(Enterprise.id == tenant_id)) or "CN"
        name = "标准规则" if country == "CN" else "Standard"
        windows = _WINDOWS.get(country, _OTHERWISE)
        session.add(RuleSet(tenant_id=tenant_id, name=name, country=country, is_default=True, windows=windows))
    session.flush()
