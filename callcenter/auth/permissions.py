"""Permissions, one code per function, and the built-in roles.

Codes are `noun.verb`. The interface shows them grouped by noun; the texts are in its own language files under
`permission.<code>`.
"""

from __future__ import annotations

from typing import Final

PERMISSIONS: Final[tuple[str, ...]] = (
    "desk.use",  # be an agent: phone, states, dispositions
    "desk.telephone",  # use a telephone in place of the browser's phone
    "calls.dial",  # manual and click-to-call dialing
    "calls.read",
    "recordings.play",
    "recordings.download",
    "customers.read",
    "customers.write",
    "contacts.read",  # the address book: the enterprise's contacts and one's own
    "contacts.write",
    "contacts.import",  # files in and out
    "numbers.unmasked",  # sees phone numbers in full
    "lists.read",
    "lists.write",
    "lists.import",
    "blacklist.read",
    "blacklist.write",
    "campaigns.read",
    "campaigns.write",
    "campaigns.run",  # start, pause, stop, change pacing
    "words.read",  # sensitive words
    "words.write",
    "optouts.read",  # who wants no marketing
    "optouts.write",
    "dispositions.write",
    "scripts.write",
    "flows.read",  # menus of inbound calls, their figures and answers
    "flows.write",
    "prompts.read",
    "prompts.write",
    "tasks.read",  # voicemails, missed calls and what else is to be done: one's own and those of nobody
    "tasks.write",
    "numbers.read",  # our numbers, where their calls go, calendars
    "numbers.write",
    "knowledge.read",  # articles for answers during a call
    "knowledge.write",
    "queues.read",  # queues, skills, their figures
    "queues.write",
    "board.read",  # live figures of all agents
    "supervise.listen",
    "supervise.join",  # whisper, barge, take over
    "supervise.state",  # change agents' states and queues
    "supervise.message",
    "boards.write",  # share boards, change shared ones
    "rules.write",  # calling rules
    "trunks.read",
    "trunks.write",
    "users.read",
    "users.write",
    "roles.read",
    "roles.write",
    "departments.read",
    "departments.write",
    "texts.send",
    "texts.read",  # sends and texts: one's own, or those of the people one may see
    "texts.approve",  # pass or reject what waits for approval
    "texts.templates",  # templates and recurring sends
    "texts.reports",
    "purse.read",  # balances, top-ups, deductions
    "purse.order",  # order a top-up
    "audit.read",
    "enterprise.write",
    "api.tokens",  # tokens for other systems, within what one may do oneself
)

_AGENT = (
    "desk.use",
    "desk.telephone",
    "calls.dial",
    "calls.read",
    "recordings.play",
    "customers.read",
    "customers.write",
    "contacts.read",
    "contacts.write",
    "numbers.unmasked",
    "campaigns.read",
    "prompts.read",
    "tasks.read",
    "tasks.write",
    "knowledge.read",
    "texts.send",
    "texts.read",
)
_SUPERVISOR = (
    *_AGENT,
    "board.read",
    "supervise.listen",
    "supervise.join",
    "supervise.state",
    "supervise.message",
    "boards.write",
    "knowledge.write",
    "queues.read",
    "numbers.read",
    "flows.read",
    "campaigns.run",
    "lists.read",
    "contacts.import",
    "blacklist.read",
    "blacklist.write",
    "words.read",
    "optouts.read",
    "users.read",
    "departments.read",
    "texts.approve",
    "texts.templates",
    "texts.reports",
)
_ADMIN = tuple(p for p in PERMISSIONS if p not in ("audit.read", "enterprise.write", "purse.order"))

# Of the platform's operator alone: its enterprise is the one with `is_platform`, and no other can give these.
PLATFORM_PERMISSIONS: Final[tuple[str, ...]] = (
    "platform.enterprises",  # open enterprises, their validity
    "platform.carriers",  # carriers, routes, prices of texts
    "platform.credit",  # credit top-ups
    "platform.announcements",
)
OPERATOR_PERMISSIONS: Final[tuple[str, ...]] = (
    *PLATFORM_PERMISSIONS,
    "users.read",
    "users.write",
    "roles.read",
    "roles.write",
    "departments.read",
    "departments.write",
    "audit.read",
    "api.tokens",
)
# Roles that allow everything that can be allowed in their enterprise, new functions too.
WHOLE: Final[dict[str, tuple[str, ...]]] = {"owner": PERMISSIONS, "operator": OPERATOR_PERMISSIONS}

# key → (name shown when the enterprise is opened, data scope, permissions)
BUILT_IN_ROLES: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "owner": ("Owner", "all", PERMISSIONS),
    "admin": ("Administrator", "all", _ADMIN),
    "supervisor": ("Supervisor", "department_and_below", _SUPERVISOR),
    "agent": ("Agent", "own", _AGENT),
}
PLATFORM_ROLES: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "operator": ("Operator", "all", OPERATOR_PERMISSIONS),
}


def givable(*, is_platform: bool) -> tuple[str, ...]:
    """The permissions that roles of an enterprise can have."""
    return OPERATOR_PERMISSIONS if is_platform else PERMISSIONS
