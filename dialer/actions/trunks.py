"""Trunks: the SIP lines that calls go out over."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.audit import records
from callcenter.audit.models import Actor
from callcenter.errors import Conflict, InvalidInput
from callcenter.telephony.models import TrunkRow
from dialer.models import Campaign

ENTITY = "trunk"
SETTABLE = frozenset(
    {
        "name", "enabled", "host", "port", "transport", "outbound_proxy", "username", "password", "from_domain",
        "register", "channels", "calls_per_second", "caller_ids", "prefixes", "strip_plus", "prepend", "priority",
        "cost", "codec", "options_every_s", "inbound", "inbound_auth", "inbound_username", "inbound_password",
        "inbound_sources", "inbound_channels", "inbound_calls_per_second",
    }
)  # fmt: skip
_TAKEN = {"uq_trunk_tenant_id_name": ("name", "trunk.name_taken")}
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_E164 = re.compile(r"\+[1-9]\d{4,14}")
_PREFIX = re.compile(r"\+?[1-9]\d{0,14}")
_PREPEND = re.compile(r"[0-9*#+]{0,16}")
_USER = re.compile(r"[^\s\"<>@;]{0,128}")


class InUse(Conflict):
    """Campaigns name it; `params["campaigns"]`."""

    code = "trunk.in_use"


def create(session: Session, actor: Actor, values: Mapping[str, Any]) -> TrunkRow:
    """A new trunk. Raises InvalidInput naming the field that can't work."""
    row = TrunkRow()
    records.put(row, values, SETTABLE)
    _check(row)
    session.add(row)
    records.flush(session, _TAKEN)
    session.refresh(row)
    records.trace(session, actor, "create", ENTITY, row.id, name=row.name, after=records.content(row))
    return row


def update(session: Session, actor: Actor, row_id: int, changes: Mapping[str, Any]) -> TrunkRow:
    """Change it; a password that is not given stays. Calls that are up go on."""
    row = records.find(session, TrunkRow, row_id, lock=True)
    before = records.content(row)
    records.put(row, changes, SETTABLE)
    _check(row)
    records.flush(session, _TAKEN)
    records.trace(session, actor, "update", ENTITY, row.id, name=row.name, before=before, after=records.content(row))
    return row


def delete(session: Session, actor: Actor, row_id: int) -> None:
    """Remove it. Raises InUse while a campaign names it."""
    row = records.find(session, TrunkRow, row_id, lock=True)
    users = sorted(session.scalars(select(Campaign.name).where(Campaign.trunk_ids.contains([row_id]))))
    if users:
        raise InUse("Campaigns dial over this trunk. Choose another one there first.", params={"campaigns": users})
    before = records.content(row)
    session.delete(row)
    session.flush()
    records.trace(session, actor, "delete", ENTITY, row_id, name=row.name, before=before)


def is_host(text: str) -> bool:
    """Whether `text` is an IPv4 address or a host name."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        labels = text.rstrip(".").split(".")
        return len(text) <= 253 and all(_LABEL.fullmatch(part) for part in labels) and not labels[-1].isdigit()
    return True


def _check(row: TrunkRow) -> None:
    if not is_host(row.host):
        raise _wrong("host", "Give an IPv4 address or a host name, without sip: and port.", "trunk.bad_host")
    if row.outbound_proxy and not _is_host_port(row.outbound_proxy):
        raise _wrong("outbound_proxy", "Give host:port.", "trunk.bad_proxy")
    if row.from_domain and not is_host(row.from_domain):
        raise _wrong("from_domain", "Give a host name or an address.", "trunk.bad_host")
    if row.transport in ("tcp", "tls") and not row.outbound_proxy:
        sentence = "TCP and TLS go through an outbound proxy. Give its host:port, or choose UDP."
        raise _wrong("outbound_proxy", sentence, "trunk.proxy_needed")
    if row.register and not row.username:
        raise _wrong("username", "Registration needs a user name.", "trunk.user_needed")
    if row.username and not _USER.fullmatch(row.username):
        raise _wrong("username", "The user name has characters that SIP does not allow.", "trunk.bad_user")
    if any(not _E164.fullmatch(n) for n in row.caller_ids or ()):
        raise _wrong("caller_ids", "Write caller IDs with country code, like +8613800001234.", "number_not_e164")
    if any(not _PREFIX.fullmatch(p) for p in row.prefixes or ()):
        raise _wrong("prefixes", "Write prefixes with country code, like +861.", "trunk.bad_prefix")
    if row.inbound_auth == "digest" and not (row.inbound_username and row.inbound_password):
        sentence = "To be called by password, give a user name and a password."
        raise _wrong("inbound_password" if row.inbound_username else "inbound_username", sentence, "trunk.user_needed")
    if row.inbound_username and not _USER.fullmatch(row.inbound_username):
        raise _wrong("inbound_username", "The user name has characters that SIP does not allow.", "trunk.bad_user")
    if any(not _is_network(s) for s in row.inbound_sources or ()):
        sentence = "Write addresses like 192.0.2.10, or networks like 192.0.2.0/24."
        raise _wrong("inbound_sources", sentence, "trunk.bad_source")
    if not _PREPEND.fullmatch(row.prepend or ""):
        raise _wrong("prepend", "Only digits, *, # and +.", "trunk.bad_prepend")


def _is_network(text: str) -> bool:
    try:
        ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_host_port(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return is_host(host) and port.isdigit() and 1 <= int(port) <= 65535


def _wrong(field: str, sentence: str, code: str) -> InvalidInput:
    return InvalidInput(sentence, code=code, fields={field: sentence})
