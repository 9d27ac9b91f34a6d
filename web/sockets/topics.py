"""Who may follow which live topic. Pure.

`agent:{id}` is an agent's document, `queue:{id}` a queue's, `campaign:{id}` a campaign's console; `agents`, `queues`
and `campaigns` are all of the enterprise's at once. `import:{id}` is an import's progress,
`contact-job:{id}` that of a file into or out of the address book, `trunks` the health of all
trunks, `menus` the callers in menus, `user:{id}` notices for one user, `flow-try:{id}` the menu that a user tries;
`sip-phone:{id}` a user's SIP phone, `sip-phones` tells that some have come or gone;
`parked` the parked calls, `purse` the balances; `tasks`, `callbacks` and `texts` (those that came in) tell only that
some have changed. A topic that nobody named here is refused.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final

# Prefix of the topic → permission that shows all topics of that kind.
PERMISSIONS: Final[dict[str, str]] = {
    "agent": "board.read",
    "agents": "board.read",
    "queue": "board.read",
    "queues": "board.read",
    "campaign": "campaigns.read",
    "campaigns": "board.read",
    "menus": "board.read",
    "import": "lists.import",
    "contact-job": "contacts.import",
    "trunks": "trunks.read",
    "sip-phone": "users.read",
    "sip-phones": "users.read",
    "parked": "desk.use",
    "tasks": "tasks.read",
    "callbacks": "customers.read",
    "purse": "purse.read",
    "texts": "texts.read",
    "send": "texts.read",
}
# What boards show of other pages' topics: who sees boards sees these too.
ON_BOARDS: Final = frozenset({"trunks"})
# Topics that are all documents of another kind at once.
COLLECTIONS: Final[dict[str, str]] = {"agents": "agent", "queues": "queue", "campaigns": "campaign"}
WHOLE: Final = frozenset(
    {*COLLECTIONS, "trunks", "sip-phones", "parked", "menus", "tasks", "callbacks", "purse", "texts"}
)  # topics without an id
OWN: Final = frozenset({"agent", "user", "flow-try", "sip-phone"})  # the user's own one is always shown
MAX_LENGTH: Final = 80


def allowed(topic: str, user_id: int, permissions: Set[str]) -> bool:
    """Whether a user with `permissions` may follow `topic` of their own enterprise."""
    if not topic or len(topic) > MAX_LENGTH:
        return False
    kind, _, name = topic.partition(":")
    if kind in OWN and name == str(user_id):
        return True
    shown = PERMISSIONS.get(kind) in permissions or (kind in ON_BOARDS and "board.read" in permissions)
    return shown and (bool(name) != (kind in WHOLE))
