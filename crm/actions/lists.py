"""Lists of leads, their leads, and the enterprise's custom fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg.errors
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.auth.models import User
from callcenter.db.outbox import settings_changed
from callcenter.errors import Conflict, InvalidInput, NotFound
from crm.actions.customers import read_phones
from crm.fields import check_definition, check_values
from crm.models import FieldDef, Import, ImportState, Lead, LeadList, LeadStatus
from crm.phones import SUPPORTED_COUNTRIES, time_zone_of
from crm.queries.fields import as_field, field_defs

_LIST = ("name", "country", "enabled", "expires_at")
_LEAD = ("name", "phone_e164", "alt_phones", "fields", "time_zone", "priority", "owner_id", "status", "next_at")


def _flush(session: Session, field: str) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        if isinstance(error.orig, psycopg.errors.UniqueViolation):
            sentence = "This is taken. Choose another."
            raise InvalidInput(sentence, code="taken", fields={field: sentence}) from error
        raise


def _find_list(session: Session, list_id: int) -> LeadList:
    row = session.get(LeadList, list_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such list.")
    return row


def _values(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def create_list(session: Session, actor: Actor, given: Mapping[str, Any]) -> LeadList:
    """An empty list. Raises InvalidInput (name taken, unknown country)."""
    _check_country(given)
    row = LeadList(**{k: given[k] for k in _LIST if k in given})
    session.add(row)
    _flush(session, "name")
    session.refresh(row)
    record(session, actor, "create", "lead_list", row.id, name=row.name, after=_values(row, _LIST))
    settings_changed(session, "lead_list", row.id)
    return row


def update_list(session: Session, actor: Actor, list_id: int, changes: Mapping[str, Any]) -> LeadList:
    """Rename, enable, disable, set an expiry. Raises NotFound, InvalidInput."""
    _check_country(changes)
    row = _find_list(session, list_id)
    before = _values(row, _LIST)
    for name in _LIST:
        if name in changes:
            setattr(row, name, changes[name])
    _flush(session, "name")
    record(session, actor, "update", "lead_list", row.id, name=row.name, before=before, after=_values(row, _LIST))
    settings_changed(session, "lead_list", row.id)
    if row.campaign_id is not None:
        settings_changed(session, "campaign", row.campaign_id)
    return row


def _check_country(given: Mapping[str, Any]) -> None:
    if "country" in given and given["country"] not in SUPPORTED_COUNTRIES:
        raise InvalidInput("Check the marked fields.", fields={"country": "Choose a country."})


def delete_list(session: Session, actor: Actor, list_id: int) -> None:
    """Delete a list with its leads. Raises NotFound; Conflict while it feeds a campaign or an import runs into it."""
    row = _find_list(session, list_id)
    if row.campaign_id is not None:
        raise Conflict("The list feeds a campaign. Take it out of the campaign first.", code="list_in_campaign")
    busy = select(Import.id).where(
        Import.list_id == list_id, Import.state.in_([ImportState.QUEUED, ImportState.RUNNING])
    )
    if session.scalar(busy.limit(1)) is not None:
        raise Conflict("An import into this list is running. Cancel it first.", code="list_importing")
    leads = session.scalar(select(func.count()).select_from(Lead).where(Lead.list_id == list_id))
    record(session, actor, "delete", "lead_list", row.id, name=row.name, before={**_values(row, _LIST), "leads": leads})
    session.delete(row)
    session.flush()
    settings_changed(session, "lead_list", list_id)


def assign(session: Session, actor: Actor, list_id: int, campaign_id: int | None) -> LeadList:
    """From now on the list feeds `campaign_id`, or none. The campaign it leaves is told too.

    Raises NotFound; InvalidInput if there is no such campaign.
    """
    row = _find_list(session, list_id)
    former = row.campaign_id
    if former == campaign_id:
        return row
    row.campaign_id = campaign_id
    try:
        session.flush()
    except IntegrityError as error:
        raise InvalidInput("Check the marked fields.", fields={"campaign_id": "Choose a campaign."}) from error
    record(
        session, actor, "assign", "lead_list", row.id, name=row.name,
        before={"campaign_id": former}, after={"campaign_id": campaign_id},
    )  # fmt: skip
    for other in (former, campaign_id):
        if other is not None:
            settings_changed(session, "campaign", other)
    return row


def create_lead(session: Session, actor: Actor, list_id: int, given: Mapping[str, Any]) -> Lead:
    """One lead by hand. `phones` as typed, the first is dialed first. Raises NotFound, InvalidInput."""
    _find_list(session, list_id)
    phones = read_phones(session, given["phones"], "phones")
    if not phones:
        raise InvalidInput("Check the marked fields.", fields={"phones": "Give at least one phone number."})
    _check_owner(session, given.get("owner_id"))
    fields = check_values(field_defs(session), given.get("fields") or {}, all_required=True)
    lead = Lead(
        list_id=list_id,
        phone_e164=phones[0],
        alt_phones=phones[1:],
        name=given.get("name", ""),
        fields={k: v for k, v in fields.items() if v is not None},
        time_zone=given.get("time_zone") or time_zone_of(phones[0]),
        priority=given.get("priority", 0),
        owner_id=given.get("owner_id"),
    )
    session.add(lead)
    _flush(session, "phones")
    session.refresh(lead)
    record(session, actor, "create", "lead", lead.id, name=lead.name, after=_values(lead, _LEAD))
    return lead


def update_lead(session: Session, actor: Actor, lead_id: int, changes: Mapping[str, Any]) -> Lead:
    """Change what is given. Raises NotFound, InvalidInput; Conflict while the lead is being dialed."""
    lead = _find_lead(session, lead_id)
    before = _values(lead, _LEAD)
    if "phones" in changes:
        if lead.status == LeadStatus.IN_PROGRESS:
            raise _busy()
        phones = read_phones(session, changes["phones"], "phones")
        if not phones:
            raise InvalidInput("Check the marked fields.", fields={"phones": "Give at least one phone number."})
        if phones[0] != lead.phone_e164 and "time_zone" not in changes:
            lead.time_zone = time_zone_of(phones[0])
        lead.phone_e164, lead.alt_phones = phones[0], phones[1:]
    if "fields" in changes:
        merged = {**lead.fields, **check_values(field_defs(session), changes["fields"], all_required=False)}
        lead.fields = {k: v for k, v in merged.items() if v is not None}
    if "owner_id" in changes:
        _check_owner(session, changes["owner_id"])
    for name in ("name", "priority", "owner_id", "time_zone"):
        if name in changes:
            setattr(lead, name, changes[name])
    _flush(session, "phones")
    record(session, actor, "update", "lead", lead.id, name=lead.name, before=before, after=_values(lead, _LEAD))
    return lead


def reset_lead(session: Session, actor: Actor, lead_id: int) -> Lead:
    """The lead starts anew: new, no tries. Raises NotFound; Conflict while it is being dialed."""
    lead = _find_lead(session, lead_id)
    if lead.status == LeadStatus.IN_PROGRESS:
        raise _busy()
    names = ("status", "attempts", "next_at")
    before = _values(lead, names)
    lead.status, lead.attempts, lead.next_at = LeadStatus.NEW, 0, None
    session.flush()
    record(session, actor, "reset", "lead", lead.id, name=lead.name, before=before, after=_values(lead, names))
    return lead


def reset_list(session: Session, actor: Actor, list_id: int, statuses: list[str]) -> int:
    """All leads of the list with one of `statuses` start anew; returns how many. Those being dialed stay."""
    row = _find_list(session, list_id)
    wanted = [s for s in statuses if s not in (LeadStatus.IN_PROGRESS, LeadStatus.NEW)]
    statement = update(Lead).where(Lead.list_id == list_id, Lead.status.in_(wanted))
    done: Any = session.execute(statement.values(status=LeadStatus.NEW, attempts=0, next_at=None))
    count = int(done.rowcount)
    record(session, actor, "reset", "lead_list", row.id, name=row.name, after={"statuses": wanted, "leads": count})
    return count


def _find_lead(session: Session, lead_id: int) -> Lead:
    lead = session.get(Lead, lead_id, with_for_update=True)
    if lead is None:
        raise NotFound("There is no such lead.")
    return lead


def _busy() -> Conflict:
    return Conflict("The lead is being dialed just now. Try again after the call.", code="lead_in_progress")


def _check_owner(session: Session, owner_id: int | None) -> None:
    if owner_id is not None and session.get(User, owner_id) is None:
        raise InvalidInput("Check the marked fields.", fields={"owner_id": "Choose a user of this enterprise."})


def create_field(session: Session, actor: Actor, given: Mapping[str, Any]) -> FieldDef:
    """A custom field. Without a key one is made. Raises InvalidInput."""
    values = dict(given)
    if not values.get("key"):
        values["key"] = _free_key(session)
    if "position" not in values:
        values["position"] = (session.scalar(select(func.max(FieldDef.position))) or 0) + 1
    row = FieldDef(**values)
    row.choices = list(values.get("choices") or ())
    row.required, row.format = bool(values.get("required")), values.get("format") or ""
    check_definition(as_field(row))
    session.add(row)
    _flush(session, "key")
    session.refresh(row)
    record(session, actor, "create", "field", row.id, name=row.label, after={k: getattr(row, k) for k in _FIELD})
    return row


_FIELD = ("key", "label", "kind", "required", "max_length", "format", "choices", "position")


def _free_key(session: Session) -> str:
    taken = set(session.scalars(select(FieldDef.key)))
    return next(k for k in (f"field_{n}" for n in range(1, len(taken) + 2)) if k not in taken)


def update_field(session: Session, actor: Actor, field_id: int, changes: Mapping[str, Any]) -> FieldDef:
    """Change a field; key and kind stay, since values are stored by them. Raises NotFound, InvalidInput."""
    row = session.get(FieldDef, field_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such field.")
    before = {k: getattr(row, k) for k in _FIELD}
    for name, value in changes.items():
        if name in _FIELD and name not in ("key", "kind"):
            setattr(row, name, value)
    check_definition(as_field(row))
    session.flush()
    record(
        session,
        actor,
        "update",
        "field",
        row.id,
        name=row.label,
        before=before,
        after={k: getattr(row, k) for k in _FIELD},
    )
    return row


def delete_field(session: Session, actor: Actor, field_id: int) -> None:
    """Delete the definition; values stay with the records and come back with a field of the same key."""
    row = session.get(FieldDef, field_id)
    if row is None:
        raise NotFound("There is no such field.")
    record(session, actor, "delete", "field", row.id, name=row.label, before={k: getattr(row, k) for k in _FIELD})
    session.delete(row)
    session.flush()
