"""Recurring sends: made once a day for those whom the day concerns.

A rule's send of a day has the key `rule:{rule}:{day}`, so that it is made once, whoever makes it and however often. It
belongs to the rule's maker: their number, their view of groups and leads, their need for approval. A day on which
nothing ran is not made up for: nobody wants greetings for last week's birthday.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.auth.access import permissions_of
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.session import platform_session, tenant_session
from callcenter.errors import AppError, InvalidInput, NotFound
from callcenter.tenancy.models import Enterprise
from crm.addressbook.models import ContactGroup
from crm.fields import Kind as FieldKind
from crm.models import LeadList
from crm.queries import typed
from crm.queries.fields import field_defs
from smsgateway.models import TextRule, TextSend, TextTemplate
from smsgateway.sending.actions import ask_in
from smsgateway.sending.new import NewSend
from smsgateway.sending.queries import pairs
from smsgateway.sending.signing import signature_of
from smsgateway.texts import Source

log = logging.getLogger(__name__)
BIRTHDAY, RENEWAL = "birthday", "renewal"
_COLUMNS = ("name", "enabled", "occasion", "template_id", "groups", "lists", "field", "days_before", "at")
_CHECK = "Check the marked fields."


def listed(args: Mapping[str, Any]) -> Select[Any]:
    """Recurring sends by name."""
    query = select(TextRule).order_by(TextRule.name, TextRule.id)
    if args.get("enabled") is not None:
        query = query.where(TextRule.enabled.is_(args["enabled"]))
    return typed(query)


def rendered(session: Session, rows: Sequence[TextRule]) -> list[dict[str, Any]]:
    """Recurring sends as the API shows them, with their last send."""
    templates = pairs(session, _named(TextTemplate, {r.template_id for r in rows}))
    people = pairs(session, _named(User, {r.sender_id for r in rows if r.sender_id is not None}))
    last = select(TextSend.rule_id, func.max(TextSend.id)).where(TextSend.rule_id.in_([r.id for r in rows]))
    sends = pairs(session, last.group_by(TextSend.rule_id))
    return [
        {
            **{c: getattr(r, c) for c in (*_COLUMNS, "id", "sender_id", "last_day", "created_at")},
            "template_name": templates.get(r.template_id, ""),
            "sender_name": people.get(r.sender_id, "") if r.sender_id is not None else "",
            "last_send_id": sends.get(r.id),
        }
        for r in rows
    ]


def _named(table: Any, ids: set[Any]) -> Any:
    return select(table.id, table.name).where(table.id.in_(ids))


def one(session: Session, rule_id: int) -> dict[str, Any]:
    """A recurring send as the API shows it. Raises NotFound."""
    return rendered(session, [_find(session, rule_id)])[0]


def _find(session: Session, rule_id: int) -> TextRule:
    row = session.get(TextRule, rule_id)
    if row is None:
        raise NotFound("There is no such recurring text.")
    return row


def create(session: Session, actor: Actor, given: Mapping[str, Any]) -> TextRule:
    """A new recurring send of the actor's; it begins tomorrow if its hour is past today. Raises InvalidInput."""
    row = TextRule(sender_id=actor.user_id, enabled=True, groups=[], lists=[], field="", days_before=0, at="09:30")
    _fill(session, actor, row, given)
    own = session.get_one(Enterprise, actor.tenant_id)
    local = utc_now().astimezone(ZoneInfo(own.time_zone))
    if local.time() >= time.fromisoformat(row.at):
        row.last_day = local.date()
    session.add(row)
    session.flush()
    record(session, actor, "create", "text_rule", row.id, name=row.name, after=_values(row))
    return row


def update(session: Session, actor: Actor, rule_id: int, changes: Mapping[str, Any]) -> TextRule:
    """Change what is given; who changes it is the sender from then on. Raises NotFound, InvalidInput."""
    row = _find(session, rule_id)
    before = _values(row)
    _fill(session, actor, row, changes)
    row.sender_id = actor.user_id
    session.flush()
    record(session, actor, "update", "text_rule", row.id, name=row.name, before=before, after=_values(row))
    return row


def delete(session: Session, actor: Actor, rule_id: int) -> None:
    """Delete a recurring send; what it made stays. Raises NotFound."""
    row = _find(session, rule_id)
    record(session, actor, "delete", "text_rule", row.id, name=row.name, before=_values(row))
    session.delete(row)
    session.flush()


def _values(row: TextRule) -> dict[str, Any]:
    return {c: getattr(row, c) for c in _COLUMNS}


def _fill(session: Session, actor: Actor, row: TextRule, given: Mapping[str, Any]) -> None:
    for name in _COLUMNS:
        if name in given:
            setattr(row, name, given[name])
    row.name = row.name.strip()
    wrong: dict[str, str] = {}
    with session.no_autoflush:
        same = select(TextRule.id).where(TextRule.name == row.name)
        if not row.name:
            wrong["name"] = "Give it a name."
        elif session.scalar(same if row.id is None else same.where(TextRule.id != row.id)) is not None:
            wrong["name"] = "Another recurring text has this name."
        template = session.get(TextTemplate, row.template_id)
        if template is None:
            wrong["template_id"] = "Choose a template."
        elif not template.enabled:
            wrong["template_id"] = "This template is disabled. Enable it, or choose another one."
        if row.occasion == BIRTHDAY:
            if not _all_there(session, ContactGroup, row.groups, actor.user_id or 0):
                wrong["groups"] = "One of them is not there any more. Choose again."
            row.lists, row.field = [], ""
        else:
            if not row.lists or not _all_there(session, LeadList, row.lists, None):
                wrong["lists"] = "Choose at least one list."
            dates = {f.key for f in field_defs(session).values() if f.kind is FieldKind.DATE}
            if row.field not in dates:
                wrong["field"] = "Choose the field that holds the date."
            row.groups = []
    if wrong:
        raise InvalidInput(_CHECK, fields=wrong)


def _all_there(session: Session, table: Any, ids: Sequence[int], user_id: int | None) -> bool:
    query = select(func.count()).where(table.id.in_(list(ids)))
    if user_id is not None:
        query = query.where(table.owner_id.is_(None) | (table.owner_id == user_id))
    return session.scalar(query) == len(set(ids))


def make_due(now: datetime) -> int:
    """Make the sends of today of all enterprises' rules that have none yet; returns how many. Today is each
    enterprise's own."""
    with platform_session() as session:
        rows = session.execute(
            select(TextRule.id, TextRule.tenant_id, TextRule.last_day, Enterprise.time_zone)
            .join(Enterprise, Enterprise.id == TextRule.tenant_id)
            .where(TextRule.enabled)
        ).all()
    made = 0
    for rule_id, tenant_id, last_day, zone in rows:
        today = now.astimezone(ZoneInfo(zone)).date()
        if last_day is not None and last_day >= today:
            continue
        try:
            made += make(tenant_id, rule_id, today, now)
        except Exception:
            log.exception("recurring text %d of tenant %d could not be made; it is tried again", rule_id, tenant_id)
    return made


def make(tenant_id: int, rule_id: int, day: date, now: datetime) -> bool:
    """Make the rule's send of `day`; whether one was made. If it can't be (its template is disabled, the enterprise has
    expired), the day counts as done all the same, and the log says why."""
    with tenant_session(tenant_id) as session:
        rule = session.get(TextRule, rule_id, with_for_update=True)
        if rule is None or not rule.enabled or (rule.last_day is not None and rule.last_day >= day):
            return False
        template = session.get(TextTemplate, rule.template_id)
        rule.last_day = day
        if template is None or not template.enabled:
            return False
        own = session.get_one(Enterprise, tenant_id)
        at = datetime.combine(day, time.fromisoformat(rule.at), ZoneInfo(own.time_zone))
        new = NewSend(
            body=template.body, audience=_audience(rule, day), kind=template.kind, purpose=template.purpose,
            source=Source.RULE, subject=template.subject, signature=signature_of(session, tenant_id),
            not_before=at, local_time=True, template_id=template.id, rule_id=rule.id,
            stored_media=list(template.media or ()),
        )  # fmt: skip
        try:
            with session.begin_nested():
                key = f"rule:{rule.id}:{day.isoformat()}"
                ask_in(session, _sender(session, tenant_id, rule), new, key, now)
        except AppError as error:
            log.warning("recurring text %d of tenant %d: %s %s", rule_id, tenant_id, error.message, error.fields)
            return False
    return True


def _audience(rule: TextRule, day: date) -> dict[str, Any]:
    meant = (day + timedelta(days=rule.days_before)).isoformat()
    if rule.occasion == BIRTHDAY:
        return {"birthday": {"day": meant, "groups": list(rule.groups)}}
    return {"renewal": {"day": meant, "field": rule.field, "lists": list(rule.lists)}}


def _sender(session: Session, tenant_id: int, rule: TextRule) -> Actor:
    user = session.get(User, rule.sender_id) if rule.sender_id is not None else None
    if user is None:
        return Actor(tenant_id, None, "recurring texts")
    return Actor(tenant_id, user.id, user.name, permissions=permissions_of(user.roles))
