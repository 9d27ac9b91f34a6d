"""What differs between two menus, node by node and way by way. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callcenter import wire
from ivr.flow import Flow, Node


@dataclass(frozen=True)
class Change:
    """A node that both have. `fields`: verb, title, settings.<name>; its ways are told apart."""

    before: Node
    after: Node
    fields: tuple[str, ...]


@dataclass(frozen=True)
class WayChange:
    """`before`, `after`: where the way led; None: it led nowhere, or its node was not there."""

    node: str
    way: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Difference:
    """From one menu to another. `moved`: nodes that differ in their place on the page only."""

    added: tuple[Node, ...]
    removed: tuple[Node, ...]
    changed: tuple[Change, ...]
    ways: tuple[WayChange, ...]
    start: bool
    language: bool
    moved: int

    def plain(self) -> dict[str, Any]:
        """For the API."""
        out: dict[str, Any] = wire.plain(self)
        for change, told in zip(self.changed, out["changed"], strict=True):
            told |= {"id": change.after.id, "title": change.after.title, "verb": change.after.verb}
        return out


def compare(a: Flow, b: Flow) -> Difference:
    """What has become of `a` in `b`."""
    old, new = {n.id: n for n in a.nodes}, {n.id: n for n in b.nodes}
    both = [(old[i], new[i]) for i in old if i in new]
    changes = [Change(was, now, _fields(was, now)) for was, now in both]
    return Difference(
        added=tuple(n for i, n in new.items() if i not in old),
        removed=tuple(n for i, n in old.items() if i not in new),
        changed=tuple(c for c in changes if c.fields),
        ways=tuple(_ways(old, new)),
        start=a.start != b.start,
        language=a.language != b.language,
        moved=sum((was.x, was.y) != (now.x, now.y) and not _fields(was, now) for was, now in both),
    )


def _fields(was: Node, now: Node) -> tuple[str, ...]:
    names = [n for n in ("verb", "title") if getattr(was, n) != getattr(now, n)]
    for name in {**was.settings, **now.settings}:
        if was.settings.get(name) != now.settings.get(name):
            names.append(f"settings.{name}")
    return tuple(names)


def _ways(old: Mapping[str, Node], new: Mapping[str, Node]) -> list[WayChange]:
    out = []
    for node in {**old, **new}:
        was = old[node].ways if node in old else {}
        now = new[node].ways if node in new else {}
        for way in {**was, **now}:
            before, after = was.get(way) or None, now.get(way) or None
            if before != after:
                out.append(WayChange(node, way, before, after))
    return out
