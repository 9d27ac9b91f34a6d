"""The tree of groups: who sees which of it, and changes to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, func, or_, select, text, update
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.audit.records import flush
from callcenter.errors import Conflict, InvalidInput, NotFound
from crm.addressbook.models import Contact, ContactGroup, ContactMember

MAX_DEPTH: Final = 8
MAX_GROUPS: Final = 2000
MAX_NAME: Final = 60
NAMED: Final = 5  # so many of what is still in a group are named
_TAKEN = {"uq_contact_group_tenant_id_owner_id_parent_id_name": ("name", "group_name_taken")}


@dataclass(frozen=True)
class Node:
    """A group's place in the tree. `owner_id` None: of the whole enterprise."""

    parent_id: int | None
    name: str
    owner_id: int | None
    enabled: bool


Tree = Mapping[int, Node]


def seen_by(actor: Actor, kind: type[Contact] | type[ContactGroup]) -> ColumnElement[bool]:
    """The condition that leaves what `actor` sees: the enterprise's own, and what is private to the user."""
    return or_(kind.owner_id.is_(None), kind.owner_id == actor.user_id)


def load_tree(session: Session, actor: Actor) -> dict[int, Node]:
    """The groups that `actor` sees."""
    group = ContactGroup
    rows = session.execute(
        select(group.id, group.parent_id, group.name, group.owner_id, group.enabled).where(seen_by(actor, group))
    )
    return {r.id: Node(r.parent_id, r.name, r.owner_id, r.enabled) for r in rows}


def way_to(group_id: int | None, tree: Tree) -> list[int]:
    """The groups from the root to `group_id`."""
    way: list[int] = []
    while group_id is not None and group_id in tree and group_id not in way:
        way.insert(0, group_id)
        group_id = tree[group_id].parent_id
    return way


def with_below(group_ids: Iterable[int], tree: Tree) -> set[int]:
    """`group_ids` and all groups below them."""
    wanted = set(group_ids)
    return {i for i in tree if wanted & set(way_to(i, tree))}


def path_of(group_id: int, tree: Tree) -> str:
    """`Customers/Shanghai`."""
    return "/".join(tree[i].name for i in way_to(group_id, tree))


def lock_tree(session: Session, tenant_id: int) -> None:
    """One change to a tree at a time: two moves at once could make a circle."""
    session.execute(text("SELECT pg_advisory_xact_lock(731, :t)"), {"t": tenant_id % 2**31})


def find_group(session: Session, actor: Actor, group_id: int, *, lock: bool = False) -> ContactGroup:
    """The group, if `actor` sees it. Raises NotFound."""
    query = select(ContactGroup).where(ContactGroup.id == group_id, seen_by(actor, ContactGroup))
    row = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("There is no such group.")
    return row


def add_group(
    session: Session, actor: Actor, *, name: str, parent_id: int | None = None, private: bool = False
) -> ContactGroup:
    """Add a group. Below another one it is as private as that. Raises InvalidInput, Conflict."""
    lock_tree(session, actor.tenant_id)
    tree = load_tree(session, actor)
    if len(tree) >= MAX_GROUPS:
        raise Conflict(f"There are {MAX_GROUPS} groups already.", code="too_many", params={"max": MAX_GROUPS})
    owner_id = _parent(parent_id, tree).owner_id if parent_id is not None else (actor.user_id if private else None)
    _check_depth(1, parent_id, tree)
    group = ContactGroup(name=_name(name), parent_id=parent_id, owner_id=owner_id)
    session.add(group)
    flush(session, _TAKEN)
    session.refresh(group)
    record(session, actor, "create", "contact_group", group.id, name=group.name, after=_seen(group, tree))
    return group


def change_group(session: Session, actor: Actor, group_id: int, changes: Mapping[str, Any]) -> ContactGroup:
    """Change those of `name`, `parent_id`, `enabled` and `private` that are given.

    A private group that becomes public, or goes below a public one, takes its groups and contacts along. A public one
    stays public: everybody else would lose it. Raises NotFound, InvalidInput, Conflict.
    """
    lock_tree(session, actor.tenant_id)
    group = find_group(session, actor, group_id, lock=True)
    tree = load_tree(session, actor)
    before = _seen(group, tree)
    if "name" in changes:
        group.name = _name(changes["name"])
    if "enabled" in changes:
        group.enabled = changes["enabled"]
    private = group.owner_id is not None
    if "parent_id" in changes and changes["parent_id"] != group.parent_id:
        private = _move(group, changes["parent_id"], tree)
    if "private" in changes and changes["private"] != private:
        if group.parent_id is not None:
            sentence = "A group below another one is as public or private as that."
            raise InvalidInput(sentence, code="group_as_parent", fields={"private": sentence})
        private = changes["private"]
    if private and group.owner_id is None:
        sentence = "A public group stays public: the others would lose it. Make a private group beside it."
        raise Conflict(sentence, code="group_stays_public", fields={"parent_id": sentence})
    if not private and group.owner_id is not None:
        _publish(session, group, tree)
    flush(session, _TAKEN)
    session.refresh(group)
    after = _seen(group, load_tree(session, actor))
    if before != after:
        record(
            session, actor, "update", "contact_group", group.id, name=group.name, before=before, after=after
        )  # fmt: skip
    return group


def delete_group(session: Session, actor: Actor, group_id: int) -> None:
    """Delete an empty group. Raises NotFound; Conflict `group_has_children` that counts and names what is in it."""
    lock_tree(session, actor.tenant_id)
    # Whoever adds a contact to the group holds its row until the end of that: what is counted then stays so.
    group = find_group(session, actor, group_id, lock=True)
    below = session.execute(
        select(ContactGroup.id, ContactGroup.name).where(ContactGroup.parent_id == group_id).order_by(ContactGroup.name)
    ).all()
    count = session.scalar(
        select(func.count()).select_from(ContactMember).where(ContactMember.group_id == group_id)
    ) or 0  # fmt: skip
    if below or count:
        first = session.execute(
            select(Contact.id, Contact.name, Contact.phones)
            .join(ContactMember, ContactMember.contact_id == Contact.id)
            .where(ContactMember.group_id == group_id, seen_by(actor, Contact))
            .order_by(Contact.name_key, Contact.id)
            .limit(NAMED)
        ).all()
        raise Conflict(
            f"“{group.name}” can't be deleted: {len(below)} groups and {count} contacts are in it. Move or delete them"
            " first.",
            code="group_has_children",
            params={
                "name": group.name,
                "groups": len(below),
                "contacts": count,
                "named_groups": [{"id": r.id, "name": r.name} for r in below[:NAMED]],
                "named_contacts": [{"id": r.id, "name": r.name} for r in first],
            },
        )
    record(
        session, actor, "delete", "contact_group", group.id, name=group.name,
        before=_seen(group, load_tree(session, actor)),
    )  # fmt: skip
    session.delete(group)
    session.flush()


def _name(given: str) -> str:
    name = " ".join(given.split())
    wrong = ""
    if not name:
        wrong = "Give the group a name."
    elif len(name) > MAX_NAME:
        wrong = f"{MAX_NAME} characters at most."
    elif "/" in name:
        wrong = "Leave out the slash: it stands between a group and the one below it."
    if wrong:
        raise InvalidInput(wrong, fields={"name": wrong})
    return name


def _parent(parent_id: int, tree: Tree) -> Node:
    if parent_id not in tree:
        raise InvalidInput(
            "Choose where the group belongs.", code="unknown_choice", fields={"parent_id": "This group is gone."}
        )
    return tree[parent_id]


def _check_depth(height: int, parent_id: int | None, tree: Tree) -> None:
    if len(way_to(parent_id, tree)) + height > MAX_DEPTH:
        sentence = f"Groups go {MAX_DEPTH} levels deep at most."
        raise InvalidInput(sentence, code="group_too_deep", fields={"parent_id": sentence}, params={"max": MAX_DEPTH})


def _move(group: ContactGroup, parent_id: int | None, tree: Tree) -> bool:
    """Put `group` below `parent_id`; returns whether it is private there."""
    if parent_id is not None:
        parent = _parent(parent_id, tree)
        if group.id in way_to(parent_id, tree):
            sentence = "A group can't be moved below itself."
            raise InvalidInput(sentence, code="group_below_itself", fields={"parent_id": sentence})
        own = len(way_to(group.id, tree))
        height = max(len(way_to(i, tree)) - own + 1 for i in with_below([group.id], tree))
        _check_depth(height, parent_id, tree)
    group.parent_id = parent_id
    return parent.owner_id is not None if parent_id is not None else group.owner_id is not None


def _publish(session: Session, group: ContactGroup, tree: Tree) -> None:
    ids = with_below([group.id], tree)
    group.owner_id = None
    flush(session, _TAKEN)
    session.execute(update(ContactGroup).where(ContactGroup.id.in_(ids)).values(owner_id=None))
    inside = select(ContactMember.contact_id).where(ContactMember.group_id.in_(ids))
    session.execute(update(Contact).where(Contact.id.in_(inside), Contact.owner_id.is_not(None)).values(owner_id=None))


def _seen(group: ContactGroup, tree: Tree) -> dict[str, Any]:
    """What the audit log keeps: the parent by its path, since ids say nothing once a row is gone."""
    parent = path_of(group.parent_id, tree) if group.parent_id in tree and group.parent_id is not None else None
    return {"name": group.name, "parent": parent, "enabled": group.enabled, "private": group.owner_id is not None}
