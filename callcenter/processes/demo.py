"""The demo enterprise: loaded into an empty installation, so that a newcomer talks to a subscriber within minutes."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from callcenter.acd.models import Queue, QueueMember
from callcenter.audit.models import Actor
from callcenter.auth import passwords
from callcenter.auth.models import Role, User, UserRole
from callcenter.compliance.models import RuleSet
from callcenter.db.models import load_all
from callcenter.db.outbox import settings_changed
from callcenter.db.session import platform_session, tenant_session
from callcenter.numbers import actions as numbers
from callcenter.numbers.models import DidNumber
from callcenter.processes.demobook import fill_book
from callcenter.processes.demoknowledge import fill_knowledge
from callcenter.processes.demotexts import fill_templates, open_gateway
from callcenter.telephony.models import TrunkRow
from callcenter.tenancy.models import Department, Enterprise
from callcenter.tenancy.opening import load_hooks, open_enterprise
from crm.models import FieldDef, Lead, LeadList, Script
from demo.menu import NAME as MENU_NAME
from demo.menu import NOTE as MENU_NOTE
from demo.menu import main_menu
from demo.people import TIME_ZONE, demo_people
from dialer.models import Campaign, CampaignAgent
from dialer.modes import CampaignState, Mode
from ivr import actions as menus

CODE = "demo"
PLATFORM_CODE, OPERATOR = "platform", "operator"
PASSWORD = "Try-it-out-1"  # shown at start and on the sign-in page; a demo installation has nothing to hide
LEADS = 500
OWN_NUMBER = "+862155550100"  # callees see it, and it can be called
HOTLINE = "+862155550101"

# role key → (user name, name, English interface?)
PEOPLE: tuple[tuple[str, str, str, str], ...] = (
    ("owner", "owner", "示例企业主", "zh-CN"),
    ("supervisor", "lead", "示例班长", "zh-CN"),
    ("agent", "agent1", "坐席一号", "zh-CN"),
    ("agent", "agent2", "Agent Two", "en"),
)

_STEPS = [
    {
        "id": "open",
        "title": "开场 · Opening",
        "text": "您好，请问是{{name}}吗？我这边是示例企业的客户顾问，想用一分钟跟您介绍一下{{interest}}的新方案。",
        "branches": [{"label": "愿意听 · Go on", "to": "offer"}, {"label": "没时间 · No time", "to": "later"}],
    },
    {
        "id": "offer",
        "title": "介绍 · Offer",
        "text": "我们在{{city}}有专门的服务团队。{{company}}这样的客户，首年可以享受八折，并且免费安装。"
        "您更关心价格，还是服务？",
        "branches": [
            {"label": "感兴趣 · Interested", "to": "close"},
            {"label": "再考虑 · Think it over", "to": "later"},
        ],
    },
    {
        "id": "close",
        "title": "成交 · Closing",
        "text": "好的，我给您登记。稍后会有同事把方案发到您的手机，请问您的称呼和收件时间方便确认一下吗？",
        "branches": [],
    },
    {
        "id": "later",
        "title": "约定回访 · Call back",
        "text": "没关系，您看明天上午十点我再给您打过来方便吗？",
        "branches": [],
    },
]
_OBJECTIONS = [
    {"title": "太贵了 · Too expensive", "text": "理解。按月算下来不到一杯咖啡，而且首年八折，不满意可以随时取消。"},
    {
        "title": "怎么有我的号码 · Where did you get my number",
        "text": "您之前在我们网站留过联系方式。如果不希望再接到电话，我马上为您登记。",
    },
]  # fmt: skip


def load_if_empty(carrier_port: int) -> bool:
    """Load the demo if no enterprise exists; returns whether it was loaded. The demo carrier's port may change between
    starts, so its trunk is brought up to date."""
    load_all()
    load_hooks()
    with platform_session() as session:
        if session.scalar(select(func.count()).select_from(Enterprise)):
            demo = session.scalars(select(Enterprise.id).where(Enterprise.is_demo)).first()
            tenant = None
        else:
            demo = tenant = open_enterprise(
                session, CODE, "示例企业 Demo", "CN", TIME_ZONE, PEOPLE[0][1], PASSWORD, owner_name=PEOPLE[0][2],
                is_demo=True,
            )  # fmt: skip
            platform = open_enterprise(
                session, PLATFORM_CODE, "平台运营 Platform", "CN", TIME_ZONE, OPERATOR, PASSWORD, owner_name="平台运营",
                is_platform=True,
            )  # fmt: skip
            open_gateway(session, Actor(platform, None, OPERATOR), demo)
            # The sign-in page of a demo offers its users with one click.
            session.get_one(Enterprise, tenant).settings = {
                "demo_password": PASSWORD,
                "demo_users": [username for _, username, _, _ in PEOPLE],
            }
    if tenant is not None:
        with tenant_session(tenant) as session:
            _fill(session, carrier_port)
        return True
    if demo is not None:
        with tenant_session(demo) as session:
            for trunk in session.scalars(select(TrunkRow).where(TrunkRow.host == "127.0.0.1")):
                if trunk.port != carrier_port:
                    trunk.port = carrier_port
                    settings_changed(session, "trunk", trunk.id)
    return False


def sign_ins() -> list[tuple[str, str, str, str]] | None:
    """(role, enterprise, user, password) of the demo; None if this installation has none."""
    with platform_session() as session:
        if session.scalars(select(Enterprise.id).where(Enterprise.is_demo)).first() is None:
            return None
    people = [(role, CODE, username, PASSWORD) for role, username, _, _ in PEOPLE]
    return [*people, ("operator", PLATFORM_CODE, OPERATOR, PASSWORD)]


def _fill(session: Session, carrier_port: int) -> None:
    department = Department(name="电销一部")
    session.add(department)
    session.flush()
    users = _users(session, department)
    # At a demo one dials when one looks at it, so the hours are open; a real enterprise keeps its default rule set.
    session.execute(update(RuleSet).values(is_default=False))
    hours = RuleSet(
        name="演示：全天 · Demo: all day",
        windows=[{"days": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "24:00"}],
        attempts_24h=20,
        is_default=True,
    )
    script = Script(name="宽带升级 · Renewal", steps=_STEPS, objections=_OBJECTIONS)
    trunk = TrunkRow(
        name="示例线路 Demo carrier", host="127.0.0.1", port=carrier_port, channels=60, calls_per_second=20,
        caller_ids=[OWN_NUMBER],
    )  # fmt: skip
    session.add_all([hours, script, trunk])
    session.flush()
    campaign = Campaign(
        name="秋季续约 Autumn renewal", mode=Mode.PROGRESSIVE.value, script_id=script.id, rule_set_id=hours.id,
        state=CampaignState.RUNNING.value, ring_timeout_s=20, wrap_up_s=30, max_lines=30,
    )  # fmt: skip
    session.add(campaign)
    session.flush()
    for user in users:
        session.add(CampaignAgent(campaign_id=campaign.id, user_id=user.id))
    _leads(session, campaign)
    queues = _queues(session, users, script)
    _menu(session, queues)
    _hotline(session, queues["service"])
    actor = Actor(int(session.info["tenant_id"]), None, "demo")
    fill_templates(session, actor)
    fill_knowledge(session, actor, campaign=campaign.id, service=queues["service"], sales=queues["sales"])
    fill_book(session, session.scalars(select(User.id).where(User.built_in)).one())
    for entity, id_ in [
        ("rule_set", hours.id),
        ("campaign", campaign.id),
        ("trunk", trunk.id),
        *(("user", u.id) for u in users),
    ]:
        settings_changed(session, entity, id_)


def _users(session: Session, department: Department) -> list[User]:
    """Everybody but the owner, who is there already; returns the agents."""
    roles = {r.key: r for r in session.scalars(select(Role))}
    agents: list[User] = []
    for role, username, name, locale in PEOPLE[1:]:
        user = User(
            username=username, name=name, password_hash=passwords.hash_password(PASSWORD), locale=locale,
            department_id=department.id,
        )  # fmt: skip
        session.add(user)
        session.flush()
        session.add(UserRole(user_id=user.id, role_id=roles[role].id))
        if role == "agent":
            agents.append(user)
        else:
            department.manager_id = user.id
    return agents


def _queues(session: Session, agents: list[User], script: Script) -> dict[str, int]:
    """Two queues that both agents answer, sales calls first; returns their ids."""
    service = Queue(name="客户服务 Service", language="zh", overflow={"no_agents": {"kind": "voicemail"}})
    sales = Queue(name="销售咨询 Sales", language="zh", priority=1, script_id=script.id)
    session.add_all([service, sales])
    session.flush()
    for queue in (service, sales):
        session.add_all(QueueMember(queue_id=queue.id, user_id=user.id) for user in agents)
        settings_changed(session, "queue", queue.id)
    return {"service": service.id, "sales": sales.id}


def _menu(session: Session, queues: dict[str, int]) -> None:
    """The menu that leads to them, and the number that leads to the menu."""
    actor = Actor(int(session.info["tenant_id"]), None, "demo")
    graph = main_menu(sales=queues["sales"], service=queues["service"])
    row = menus.create(session, actor, MENU_NAME, flow=graph)
    menus.publish(session, actor, row.id, row.revision, MENU_NOTE)
    number = DidNumber(
        e164=OWN_NUMBER, name="总机 Main line", language="zh", open_to={"kind": "menu", "id": row.id},
        closed_to={"kind": "voicemail"},
    )  # fmt: skip
    session.add(number)
    session.flush()
    settings_changed(session, "number", number.id)


def _hotline(session: Session, queue: int) -> None:
    """A number straight to the service queue, with rules about who calls, and office hours for whoever wants them."""
    actor = Actor(int(session.info["tenant_id"]), None, "demo")
    day = [{"from": "09:00", "to": "12:00"}, {"from": "13:30", "to": "18:00"}]
    holiday = {"name": "元旦 New Year", "first": "2026-01-01", "last": "2026-01-01", "yearly": True}
    calendar = {"name": "办公时间 Office hours", "week": [day] * 5 + [[], []], "holidays": [holiday]}
    numbers.create_calendar(session, actor, calendar)
    rules = [
        {"when": "blacklisted", "then": "refuse"},
        {"when": "vip", "then": "owner", "priority": 10},
        {"when": "repeated", "then": "priority", "within_min": 60, "priority": 2},
    ]
    to = {"kind": "queue", "id": queue}
    numbers.create_number(
        session, actor,
        {"e164": HOTLINE, "name": "服务热线 Hotline", "language": "zh", "open_to": to, "closed_to": to, "rules": rules},
    )  # fmt: skip


def _leads(session: Session, campaign: Campaign) -> None:
    labels = {"city": "城市 City", "interest": "意向 Interest", "note": "备注 Note"}
    for position, (key, label) in enumerate(labels.items()):
        session.add(FieldDef(key=key, label=label, kind="text", position=position))
    lead_list = LeadList(name="老客户名单 Past customers", country="CN", campaign_id=campaign.id)
    session.add(lead_list)
    session.flush()
    for person in demo_people(LEADS):
        fields = {k: str(v) for k, v in person.items() if k in {*labels, "company"}}
        session.add(
            Lead(
                list_id=lead_list.id, name=person["name"], phone_e164=person["phone_e164"], fields=fields,
                time_zone=TIME_ZONE,
            )
        )  # fmt: skip
