"""Templates: kept bodies with placeholders, some of them offered to agents during a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from callcenter import ids
from callcenter.audit.models import Actor, record
from callcenter.auth.models import User
from callcenter.db.session import tenant_session
from callcenter.errors import Conflict, InvalidInput, NotFound
from crm.queries import typed
from crm.queries.fields import field_defs
from smsgateway import templates as bodies
from smsgateway.inbound.models import TextKeyword
from smsgateway.models import TextRule, TextSend, TextTemplate
from smsgateway.sending import media
from smsgateway.sending.actions import ask
from smsgateway.sending.new import NewSend
from smsgateway.sending.resolving import check_body
from smsgateway.sending.signing import signature_of
from smsgateway.texts import Source

_COLUMNS = ("name", "kind", "purpose", "subject", "body", "media", "enabled", "at_desk")
_CHECK = "Check the marked fields."


def listed(args: Mapping[str, Any]) -> Select[Any]:
    """Templates by name, as rows (template, its maker's name). Filters: search, kind, enabled, at_desk."""
    query = select(TextTemplate, User.name).outerjoin(User, User.id == TextTemplate.created_by)
    if search := str(args.get("search") or "").strip():
        like = [c.icontains(search, autoescape=True) for c in (TextTemplate.name, TextTemplate.body)]
        query = query.where(or_(*like))
    if args.get("kind"):
        query = query.where(TextTemplate.kind == args["kind"])
    for name in ("enabled", "at_desk"):
        if args.get(name) is not None:
            query = query.where(getattr(TextTemplate, name).is_(args[name]))
    return typed(query.order_by(TextTemplate.name, TextTemplate.id))


def rendered(row: Any) -> dict[str, Any]:
    """A row of `listed` as the API shows it."""
    template, maker = row
    names = ("id", "name", "kind", "purpose", "subject", "body", "enabled", "at_desk", "created_at", "updated_at")
    return {
        **{n: getattr(template, n) for n in names},
        "media": media.shown(template.media or ()),
        "created_by_name": maker or "",
    }


def one(session: Session, template_id: int) -> dict[str, Any]:
    """A template as the API shows it. Raises NotFound."""
    row = session.execute(listed({}).where(TextTemplate.id == template_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such template.")
    return rendered(row)


def find(session: Session, template_id: int) -> TextTemplate:
    """A template. Raises NotFound."""
    row = session.get(TextTemplate, template_id)
    if row is None:
        raise NotFound("There is no such template.")
    return row


def create(session: Session, actor: Actor, given: Mapping[str, Any]) -> TextTemplate:
    """A new template. Raises InvalidInput."""
    row = TextTemplate(created_by=actor.user_id, media=[], subject="", enabled=True, at_desk=False)
    _fill(session, actor, row, given)
    session.add(row)
    session.flush()
    record(session, actor, "create", "text_template", row.id, name=row.name, after=_values(row))
    return row


def update(session: Session, actor: Actor, template_id: int, changes: Mapping[str, Any]) -> TextTemplate:
    """Change what is given. Raises NotFound, InvalidInput."""
    row = find(session, template_id)
    before = _values(row)
    _fill(session, actor, row, changes)
    session.flush()
    record(session, actor, "update", "text_template", row.id, name=row.name, before=before, after=_values(row))
    return row


def delete(session: Session, actor: Actor, template_id: int) -> None:
    """Delete a template. Raises NotFound; Conflict (`template_used`) while a recurring send or an automatic answer uses
    it."""
    row = find(session, template_id)
    rules = select(TextRule.name).where(TextRule.template_id == template_id)
    answers = select(TextKeyword.name).where(TextKeyword.template_id == template_id)
    users = session.scalars(rules.union_all(answers).limit(3)).all()
    if users:
        raise Conflict(
            "Recurring texts or automatic answers use this template. Give them another one first.",
            code="template_used", params={"rules": ", ".join(users)},
        )  # fmt: skip
    record(session, actor, "delete", "text_template", row.id, name=row.name, before=_values(row))
    session.delete(row)
    session.flush()


def test(actor: Actor, template_id: int, phone: str, values: Mapping[str, str]) -> TextSend:
    """Send a template to `phone` as written, or to the actor's own number. Raises NotFound, InvalidInput."""
    with tenant_session(actor.tenant_id) as session:
        row = find(session, template_id)
        user = session.get(User, actor.user_id) if actor.user_id is not None else None
        number = phone.strip() or (user.phone_number if user is not None else "")
        signature = signature_of(session, actor.tenant_id)
    if not number:
        raise InvalidInput(_CHECK, fields={"phone": "Your profile has no number. Give the one to send to."})
    new = NewSend(
        body=row.body, audience={"numbers": [number], "values": dict(values)}, kind=row.kind, purpose=row.purpose,
        source=Source.PAGE, subject=row.subject, signature=signature, template_id=row.id,
        stored_media=list(row.media or ()),
    )  # fmt: skip
    try:
        return ask(actor, new, key=f"test:{ids.new_id()}")
    except InvalidInput as error:
        fields = {"phone" if k == "audience.numbers" else k: v for k, v in error.fields.items()}
        raise InvalidInput(error.message, code=error.code, fields=fields, params=error.params) from None


def _values(row: TextTemplate) -> dict[str, Any]:
    return {c: getattr(row, c) for c in _COLUMNS}


def _fill(session: Session, actor: Actor, row: TextTemplate, given: Mapping[str, Any]) -> None:
    for name in ("kind", "purpose", "enabled", "at_desk"):
        if name in given:
            setattr(row, name, given[name])
    if "name" in given:
        row.name = given["name"].strip()
        same = select(TextTemplate.id).where(TextTemplate.name == row.name)
        with session.no_autoflush:
            if not row.name:
                raise InvalidInput(_CHECK, fields={"name": "Give it a name."})
            if session.scalar(same if row.id is None else same.where(TextTemplate.id != row.id)) is not None:
                raise InvalidInput(_CHECK, code="name_taken", fields={"name": "Another template has this name."})
    if "subject" in given:
        row.subject = bodies.clean(given["subject"]).strip()
    if "body" in given:
        row.body = bodies.clean(given["body"].replace("\r\n", "\n")).strip("\n")
    if "media" in given:
        kept = {m.get("id"): m for m in row.media or ()}
        new = [i for i in given["media"] if i not in kept]
        found = {m["id"]: m for m in media.resolve(session, actor.tenant_id, new)} | kept
        row.media = [found[i] for i in given["media"]]
    with session.no_autoflush:
        check_body(row.kind, row.subject, row.body, row.media, frozenset(field_defs(session)))
