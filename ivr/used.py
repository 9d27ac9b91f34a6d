"""Who leads callers into a menu: numbers, queues and other menus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.acd.models import Queue
from callcenter.calls.destination import DestinationKind
from callcenter.numbers.models import DidNumber
from ivr.flow import stored
from ivr.models import FlowRow, FlowVersion

Users = dict[int, list[dict[str, Any]]]  # menu's id → [{kind: number, queue or flow; id; name}]


def users(session: Session) -> Users:
    """For every menu that something leads to: what does, by kind and name. Drafts count too."""
    found: Users = defaultdict(list)
    for number in session.scalars(select(DidNumber).order_by(DidNumber.name, DidNumber.e164)):
        places = [number.open_to, number.closed_to, number.holiday_to, number.rules]
        for menu in sorted(set(_menus(places))):
            found[menu].append({"kind": "number", "id": number.id, "name": number.name or number.e164})
    for queue in session.scalars(select(Queue).order_by(Queue.name, Queue.id)):
        for menu in sorted(set(_menus(queue.overflow))):
            found[menu].append({"kind": "queue", "id": queue.id, "name": queue.name})
    query = (
        select(FlowVersion.flow_id, FlowVersion.flow)
        .join(FlowRow, FlowRow.id == FlowVersion.flow_id)
        .where(FlowVersion.version == FlowRow.published)
    )
    published: dict[int, dict[str, Any]] = {row.flow_id: row.flow for row in session.execute(query)}
    for row in session.scalars(select(FlowRow).order_by(FlowRow.name, FlowRow.id)):
        for menu in sorted({*_gotos(row.draft), *_gotos(published.get(row.id, {}))} - {row.id}):
            found[menu].append({"kind": "flow", "id": row.id, "name": row.name})
    return dict(found)


def _menus(value: Any) -> Iterator[int]:
    """Ids in every destination that is a menu, wherever it lies in stored settings."""
    if isinstance(value, dict):
        if value.get("kind") == DestinationKind.MENU.value and isinstance(value.get("id"), int):
            yield value["id"]
        for part in value.values():
            yield from _menus(part)
    elif isinstance(value, list):
        for part in value:
            yield from _menus(part)


def _gotos(flow: Any) -> Iterator[int]:
    for node in stored(flow).nodes:
        target = node.settings.get("flow") if node.verb == "goto" else None
        if isinstance(target, int):
            yield target
