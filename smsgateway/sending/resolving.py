"""From what was asked for to what can be stored: every fault is told beside its field, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.access import visible_user_ids
from callcenter.calls.models import Call
from callcenter.errors import AppError, InvalidInput
from callcenter.events import streams
from callcenter.tenancy.models import Enterprise
from crm.addressbook.models import Contact, ContactGroup
from crm.models import LeadList, LeadStatus
from crm.phones import Normaliser
from crm.queries.card import find as find_person
from smsgateway import segments, templates
from smsgateway.sending import files, media
from smsgateway.sending.audience import Whose, estimate
from smsgateway.sending.files import Wrong
from smsgateway.sending.new import MAX_AHEAD_DAYS, MAX_NUMBERS, MAX_PARTS, NewSend
from smsgateway.texts import Kind

MAX_WRONG_SHOWN: Final = 50
_CHECK: Final = "Check the marked fields."
# Source of recipients → the permission that shows these records.
_NEEDS: Final = {"contacts": "contacts.read", "groups": "contacts.read", "lists": "lists.read",
                 "customers": "customers.read", "people": "customers.read"}  # fmt: skip


def whose(session: Session, actor: Actor) -> Whose:
    """What `actor` may reach. A process of the system reaches all but private contacts."""
    return Whose(actor.tenant_id, actor.user_id or 0, visible_user_ids(session, actor))


def own_keys(fields: Iterable[str], audience: Mapping[str, Any]) -> frozenset[str]:
    """Keys that may stand behind `field.`: those of the enterprise's own `fields`, and the columns of the file."""
    keys = set(fields)
    for column in (audience.get("file") or {}).get("columns") or ():
        if column["placeholder"].startswith("field."):
            keys.add(column["placeholder"][6:])
    return frozenset(keys)


def check_body(kind: str, subject: str, body: str, pictures: Sequence[Any], own: frozenset[str]) -> None:
    """Raises InvalidInput if such a text can't be sent to anybody."""
    if kind == Kind.SMS:
        if pictures:
            raise InvalidInput(_CHECK, fields={"media": "Pictures go with an MMS only."})
        if not body.strip():
            raise InvalidInput(_CHECK, code="text_empty", fields={"body": "Write something to send."})
    elif not body.strip() and not subject.strip() and not pictures:
        raise InvalidInput(_CHECK, code="text_empty", fields={"body": "Write something, or add a picture."})
    template = templates.parse(body, own)
    if subject:
        _as_subject(subject, own)
    if kind == Kind.SMS:
        # What stands there for everybody; values make it longer, and each text is counted again with its own.
        parts = segments.count(template.render({})).parts
        if parts > MAX_PARTS:
            raise InvalidInput(
                _CHECK, code="text_too_long", params={"parts": parts, "limit": MAX_PARTS},
                fields={"body": f"This takes {parts} parts; a text can have at most {MAX_PARTS}. Make it shorter."},
            )  # fmt: skip


def _as_subject(subject: str, own: frozenset[str]) -> None:
    try:
        if templates.parse(subject, own).personal:
            raise InvalidInput(_CHECK, fields={"subject": "A subject is the same for everybody: leave out the fields."})
    except InvalidInput as error:
        raise InvalidInput(_CHECK, fields={"subject": error.fields.get("body") or error.fields["subject"]}) from None


def instant(not_before: datetime | None, own: Enterprise, now: datetime) -> datetime | None:
    """The time asked for, in UTC; without an offset it is by the enterprise's clock. Raises InvalidInput."""
    if not_before is None:
        return None
    at = not_before if not_before.tzinfo else not_before.replace(tzinfo=ZoneInfo(own.time_zone))
    at = at.astimezone(UTC)
    if at > now + timedelta(days=MAX_AHEAD_DAYS):
        raise InvalidInput(_CHECK, fields={"not_before": f"Choose a day within the next {MAX_AHEAD_DAYS} days."})
    if at < now - timedelta(days=2):
        raise InvalidInput(_CHECK, code="time_past", fields={"not_before": "This time is past. Choose a later one."})
    return at


class Resolver:
    """Makes the audience that is stored of the one that was asked for."""

    def __init__(self, session: Session, actor: Actor, own: Enterprise) -> None:
        self.session, self.actor, self.own = session, actor, own
        self.wrong: list[Wrong] = []
        self.wrong_count = 0
        self.duplicates = 0

    def resolve(self, new: NewSend, *, lenient: bool = False) -> dict[str, Any]:
        """The audience with numbers in E.164. Raises InvalidInput naming what is wrong with it; `lenient`: numbers that
        are none are left out and told in `wrong`."""
        asked = new.audience
        for name, permission in _NEEDS.items():
            given = asked.get(name)
            if (given or (name == "customers" and given is not None)) and not self._may(permission):
                raise InvalidInput(_CHECK, fields={f"audience.{name}": "Your roles do not show you these records."})
        out: dict[str, Any] = {}
        if new.call_id and not any(asked.get(n) for n in (*_NEEDS, "numbers", "file")):
            out["numbers"] = [self._caller(new.call_id)]
        if asked.get("numbers"):
            out["numbers"] = self._numbers(list(asked["numbers"]), lenient)
        if asked.get("people"):
            out["people"] = self._people(asked["people"])
        if asked.get("file"):
            out["file"] = self._file(str(asked["file"]))
        for name, table in (("contacts", Contact), ("groups", ContactGroup)):
            if asked.get(name):
                out[name] = self._known(name, table, asked[name], "owner_id")
        if asked.get("lists"):
            out["lists"] = self._known("lists", LeadList, asked["lists"], "")
            statuses = list(dict.fromkeys(asked.get("list_statuses") or ()))
            if unknown := [s for s in statuses if s not in set(LeadStatus)]:
                raise InvalidInput(_CHECK, fields={"audience.list_statuses": f"There is no status “{unknown[0]}”."})
            out["list_statuses"] = statuses
        if asked.get("customers") is not None:
            out["customers"] = {k: v for k, v in asked["customers"].items() if v not in (None, "", [])}
        for name in ("birthday", "renewal", "values"):
            if asked.get(name):
                out[name] = asked[name]
        if self.actor.user_id is None:
            out["all"] = True
        out["expected"] = estimate(self.session, out, whose(self.session, self.actor))
        recurring = "birthday" in out or "renewal" in out
        if not out["expected"] and not recurring and not self.wrong_count:
            raise InvalidInput(
                "Nobody would get this text.", code="nobody", fields={"audience": "Say who is to get it."}
            )
        return out

    def _may(self, permission: str) -> bool:
        return self.actor.user_id is None or permission in self.actor.permissions

    def _numbers(self, typed: list[str], lenient: bool) -> list[str]:
        if len(typed) > MAX_NUMBERS:
            raise InvalidInput(
                _CHECK, code="too_many_numbers", params={"limit": MAX_NUMBERS, "given": len(typed)},
                fields={"audience.numbers": f"At most {MAX_NUMBERS:,} numbers can be typed. Upload a file instead."},
            )  # fmt: skip
        read = Normaliser(self.own.country).read
        good: dict[str, None] = {}
        for line, written in enumerate(typed, 1):
            if not written.strip():
                continue
            phone = read(written)
            if phone.fault is None:
                self.duplicates += phone.e164 in good
                good[phone.e164] = None
                continue
            self.wrong_count += 1
            if len(self.wrong) < MAX_WRONG_SHOWN:
                self.wrong.append(Wrong(line, written.strip()[:60], phone.fault.value))
        if self.wrong and not lenient:
            first = self.wrong[0]
            more = f" {self.wrong_count - 1} more are wrong." if self.wrong_count > 1 else ""
            raise InvalidInput(
                _CHECK, code="wrong_numbers",
                params={
                    "count": self.wrong_count,
                    "wrong": [{"line": w.line, "text": w.text, "code": w.code} for w in self.wrong],
                },
                fields={"audience.numbers": f"Line {first.line}: “{first.text}” is no phone number.{more}"},
            )  # fmt: skip
        return list(good)

    def _people(self, people: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        out = []
        for at, person in enumerate(people):
            ids = {k: person[k] for k in ("customer_id", "lead_id") if person.get(k) is not None}
            where = f"audience.people.{at}"
            if not ids:
                raise InvalidInput(_CHECK, fields={where: "Give a customer or a lead."})
            try:
                found = find_person(self.session, self.actor, **ids)
                phone = found.phones[int(person.get("phone") or 0)]
            except AppError as error:
                raise InvalidInput(_CHECK, code=error.code, fields={where: error.message}) from None
            except IndexError:
                raise InvalidInput(_CHECK, fields={where: "They have no such number."}) from None
            customer = found.customer.id if found.customer is not None else None
            out.append({"phone": phone, "customer_id": customer, "lead_id": ids.get("lead_id")})
        return out

    def _caller(self, call_id: str) -> str:
        """The number at the other end of the actor's call, or of one that the actor may see."""
        document = streams.snapshot(self.actor.tenant_id, f"agent:{self.actor.user_id}")
        live = document.get("call") if isinstance(document, dict) else None
        if isinstance(live, dict) and live.get("call_id") == call_id and live.get("phone_e164"):
            return str(live["phone_e164"])
        call = self.session.get(Call, call_id)
        seen = visible_user_ids(self.session, self.actor)
        if call is None or not (seen is None or call.agent_id in seen) or not call.phone_e164.startswith("+"):
            raise InvalidInput(_CHECK, fields={"call_id": "There is no such call, or its number is withheld."})
        return call.phone_e164

    def _file(self, file_id: str) -> dict[str, Any]:
        try:
            found = files.find(self.actor, file_id)
        except AppError as error:
            raise InvalidInput(_CHECK, code=error.code, fields={"audience.file": error.message}) from None
        columns = [{"title": c.title, "placeholder": c.placeholder} for c in found.columns]
        return {"id": found.id, "name": found.file_name, "rows": found.rows, "columns": columns}

    def _known(self, name: str, table: Any, given: Sequence[int], owner: str) -> list[int]:
        wanted = list(dict.fromkeys(given))
        query = select(table.id).where(table.id.in_(wanted))
        if owner:
            column = getattr(table, owner)
            query = query.where(column.is_(None) | (column == (self.actor.user_id or 0)))
        known = set(self.session.scalars(query))
        if any(i not in known for i in wanted):
            raise InvalidInput(_CHECK, fields={f"audience.{name}": "One of them is not there any more. Choose again."})
        return wanted


def pictures(session: Session, actor: Actor, new: NewSend) -> list[dict[str, Any]]:
    """The pictures of an MMS. Raises InvalidInput."""
    return media.resolve(session, actor.tenant_id, new.media, new.stored_media)
