"""Move, add, take out, tag and delete many contacts at once: in one transaction, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session
from sqlalchemy.types import Text

from callcenter.audit.models import Actor, record
from callcenter.errors import InvalidInput
from crm.addressbook.contacts import check_tags, hold_groups
from crm.addressbook.groups import Tree, load_tree, path_of, seen_by, with_below
from crm.addressbook.models import Contact, ContactMember

MOST_IDS = 5000  # given one by one; by a filter there may be more
_CHUNK = 10_000
_NAMED = 5


def hold(session: Session, actor: Actor, contact_ids: Sequence[int]) -> list[int]:
    """Those of `contact_ids` that `actor` sees, held until the transaction ends, in order of id."""
    held: list[int] = []
    wanted = sorted(set(contact_ids))
    for at in range(0, len(wanted), _CHUNK):
        part = wanted[at : at + _CHUNK]
        query = select(Contact.id).where(Contact.id.in_(part), seen_by(actor, Contact)).order_by(Contact.id)
        held += session.scalars(query.with_for_update())
    return held


def add_to_group(session: Session, actor: Actor, contact_ids: Sequence[int], group_id: int) -> int:
    """Let the contacts stand in the group too; returns how many. Private ones become everybody's in a public group."""
    tree = load_tree(session, actor)
    held = _ready(session, actor, contact_ids, group_id, tree)
    _enter(session, actor, held, group_id, tree)
    _trace(session, actor, "add_to_group", held, {"group": path_of(group_id, tree)})
    return len(held)


def move(
    session: Session, actor: Actor, contact_ids: Sequence[int], group_id: int, from_group_id: int | None = None
) -> int:
    """Let the contacts stand in `group_id` in place of `from_group_id` and those below it, or of all their groups;
    returns how many. Who then stands in no public group, but in a private one, is seen by `actor` only."""
    tree = load_tree(session, actor)
    held = _ready(session, actor, contact_ids, group_id, tree)
    _leave(session, held, with_below([from_group_id], tree) if from_group_id is not None else set(tree))
    _enter(session, actor, held, group_id, tree)
    if tree[group_id].owner_id is not None:
        _make_private(session, actor, held, tree)
    _trace(session, actor, "move", held, {"group": path_of(group_id, tree)})
    return len(held)


def take_out(session: Session, actor: Actor, contact_ids: Sequence[int], group_id: int) -> int:
    """Take the contacts out of the group and those below it; returns how many were asked for. They stay contacts."""
    tree = load_tree(session, actor)
    _check_group(group_id, tree)
    held = hold(session, actor, contact_ids)
    _leave(session, held, with_below([group_id], tree))
    _trace(session, actor, "take_out", held, {"group": path_of(group_id, tree)})
    return len(held)


def tag(session: Session, actor: Actor, contact_ids: Sequence[int], tags: Sequence[str], *, on: bool) -> int:
    """Put `tags` on the contacts, or take them off; returns how many contacts."""
    wanted = check_tags(tags)
    if not wanted:
        raise InvalidInput("Give at least one tag.", fields={"tags": "Give at least one tag."})
    held = hold(session, actor, contact_ids)
    given = bindparam("given", wanted, type_=ARRAY(Text))
    if on:
        fresh = text("tags || ARRAY(SELECT t FROM unnest(CAST(:given AS text[])) t WHERE t <> ALL(tags))")
    else:
        fresh = text("ARRAY(SELECT t FROM unnest(tags) WITH ORDINALITY u(t, n) WHERE t <> ALL(:given) ORDER BY n)")
    for at in range(0, len(held), _CHUNK):
        part = update(Contact).where(Contact.id.in_(held[at : at + _CHUNK])).values(tags=fresh.bindparams(given))
        session.execute(part, execution_options={"synchronize_session": False})
    _trace(session, actor, "tag" if on else "untag", held, {"tags": wanted})
    return len(held)


def remove(session: Session, actor: Actor, contact_ids: Sequence[int]) -> int:
    """Delete the contacts; returns how many there were."""
    held = hold(session, actor, contact_ids)
    _trace(session, actor, "delete", held, {})
    for at in range(0, len(held), _CHUNK):
        session.execute(
            delete(Contact).where(Contact.id.in_(held[at : at + _CHUNK])),
            execution_options={"synchronize_session": False},
        )
    return len(held)


def _check_group(group_id: int, tree: Tree) -> None:
    if group_id not in tree:
        sentence = "This group does not exist any more. Choose again."
        raise InvalidInput(sentence, code="unknown_choice", fields={"group_id": sentence})


def _ready(session: Session, actor: Actor, contact_ids: Sequence[int], group_id: int, tree: Tree) -> list[int]:
    _check_group(group_id, tree)
    hold_groups(session, [group_id])
    return hold(session, actor, contact_ids)


def _enter(session: Session, actor: Actor, held: list[int], group_id: int, tree: Tree) -> None:
    for at in range(0, len(held), _CHUNK):
        part = held[at : at + _CHUNK]
        rows = select(literal(actor.tenant_id), literal(group_id), Contact.id).where(Contact.id.in_(part))
        session.execute(
            insert(ContactMember).from_select(["tenant_id", "group_id", "contact_id"], rows).on_conflict_do_nothing()
        )
        if tree[group_id].owner_id is None:
            private = update(Contact).where(Contact.id.in_(part), Contact.owner_id.is_not(None))
            session.execute(private.values(owner_id=None), execution_options={"synchronize_session": False})


def _leave(session: Session, held: list[int], groups: set[int]) -> None:
    for at in range(0, len(held), _CHUNK):
        session.execute(
            delete(ContactMember).where(
                ContactMember.contact_id.in_(held[at : at + _CHUNK]), ContactMember.group_id.in_(groups)
            )
        )


def _make_private(session: Session, actor: Actor, held: list[int], tree: Tree) -> None:
    public = {i for i, node in tree.items() if node.owner_id is None}
    for at in range(0, len(held), _CHUNK):
        standing = select(ContactMember).where(
            ContactMember.contact_id == Contact.id, ContactMember.group_id.in_(public)
        )
        own = update(Contact).where(Contact.id.in_(held[at : at + _CHUNK]), ~standing.exists())
        mine = session.scalars(
            own.values(owner_id=actor.user_id).returning(Contact.id), execution_options={"synchronize_session": False}
        ).all()
        session.execute(
            delete(ContactMember).where(ContactMember.contact_id.in_(mine), ContactMember.group_id.not_in(tree))
        )


def _trace(session: Session, actor: Actor, action: str, held: list[int], after: dict[str, Any]) -> None:
    """One entry for all, that counts them and names the first."""
    if not held:
        return
    names = session.scalars(
        select(func.coalesce(func.nullif(Contact.name, ""), Contact.company))
        .where(Contact.id.in_(held[:_NAMED]))
        .order_by(Contact.id)
    )
    more = " …" if len(held) > _NAMED else ""
    told = {"count": len(held), "ids": held[:1000], **after}
    record(session, actor, action, "contact", 0, name=", ".join(names) + more, after=told)
