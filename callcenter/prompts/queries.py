"""Prompts as lists, and what plays them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, or_, select, text
from sqlalchemy.orm import Session

from callcenter.prompts.models import Prompt

# Where prompts are named: kind → rows (id, name) whose text holds :pattern. The tables are features'; they are named
# here and not imported, and any column of theirs may hold a prompt.
_USERS: Final[dict[str, str]] = {
    "queue": "SELECT q.id, q.name FROM queue q WHERE CAST(row_to_json(q) AS text) ~ :pattern",
    "flow": (
        "SELECT f.id, f.name FROM flow f LEFT JOIN flow_version v ON v.flow_id = f.id AND v.version = f.published"
        " WHERE CAST(f.draft AS text) ~ :pattern OR CAST(v.flow AS text) ~ :pattern"
    ),
    "number": "SELECT d.id, d.name FROM did_number d WHERE CAST(row_to_json(d) AS text) ~ :pattern",
    "campaign": "SELECT c.id, c.name FROM campaign c WHERE CAST(row_to_json(c) AS text) ~ :pattern",
    "user": "SELECT u.id, u.name FROM user_account u WHERE u.voicemail_greeting ~ :pattern",
}


@dataclass(frozen=True)
class Use:
    """Something that plays a prompt. `kind`: queue, flow, number, campaign, user."""

    kind: str
    id: int
    name: str


def uses(session: Session, prompt_id: int) -> list[Use]:
    """What plays the prompt: by its present settings, a menu also by its draft."""
    pattern = f"prompt:{prompt_id}([^0-9]|$)"
    found: list[Use] = []
    for kind, statement in _USERS.items():
        rows = session.execute(text(f"{statement} ORDER BY 2 LIMIT 50"), {"pattern": pattern})
        found += [Use(kind, row[0], row[1]) for row in rows]
    return found


def listed(*, search: str = "", language: str | None = None, kind: str | None = None) -> Select[Any]:
    """Prompts by name. `language` leaves out those of another one, not those of none."""
    query: Select[Any] = select(Prompt).order_by(Prompt.name, Prompt.id)
    if search.strip():
        wanted = search.strip()
        query = query.where(
            or_(Prompt.name.icontains(wanted, autoescape=True), Prompt.text.icontains(wanted, autoescape=True))
        )
    if language:
        query = query.where(Prompt.language.in_((language, "")))
    if kind:
        query = query.where(Prompt.kind == kind)
    return query


def document(prompt: Prompt | None) -> dict[str, Any] | None:
    """A prompt as the engine has it; None for one that is gone."""
    if prompt is None:
        return None
    return {"id": prompt.id, "path": prompt.path, "language": prompt.language}
