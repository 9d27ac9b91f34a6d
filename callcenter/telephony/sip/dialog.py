"""What a SIP dialog remembers (RFC 3261, section 12), and the texts of the requests made from it. Pure.

Everything is a string or a number, so that a dialog lies in Redis as `ports.Dialog` and another process can go on with
it. `to_port` and `from_port` are inverse to each other.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from urllib.parse import quote

from callcenter.telephony.ports import Dialog, MediaAddress, Sdp
from callcenter.telephony.sip.sdp import SessionId

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE"
_USER_SAFE = "-_.!~*'()&=+$,;?/#"
FIRST_SESSION = SessionId(1)
_SUCCESSOR_CSEQ_GAP = 1000  # requests that the dead process may have sent after it stored the dialog
_HOST = re.compile(r"sips?:(?:[^@]*@)?(\[[0-9a-fA-F:.]+\]|[^:;?@\s]+)(?::(\d{1,5}))?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def user_part(number: str) -> str:
    """`number` as the user part of a SIP URI, escaped."""
    return quote(_CONTROL.sub("", number), safe=_USER_SAFE)


def display_name(name: str) -> str:
    """`name` as a quoted display name with a blank after it, or "" if there is none."""
    clean = _CONTROL.sub(" ", name).strip().replace("\\", "").replace('"', "'")
    return f'"{clean}" ' if clean else ""


@dataclass(frozen=True)
class DialogData:
    """One dialog as we see it. `local` and `remote` are the From and To bodies of our requests, with tags where known;
    `destination` is the (host, port) that the next request goes to; `via` is the Via body of the INVITE without branch;
    `branch` of the INVITE and `cseq` its number (or that of our last request)."""

    call_id: str
    local: str
    remote: str
    remote_target: str
    destination: tuple[str, int]
    via: str
    branch: str
    contact: str
    cseq: int
    routes: tuple[str, ...] = ()
    remote_cseq: int = -1
    session: SessionId = FIRST_SESSION
    local_sdp: Sdp | None = None
    tries: int = 1  # INVITEs that may be out under this call id (digest sends a second)

    @property
    def local_tag(self) -> str:
        return tag_of(self.local)

    @property
    def remote_tag(self) -> str:
        return tag_of(self.remote)

    def next_cseq(self) -> DialogData:
        return replace(self, cseq=self.cseq + 1)

    def towards(self, target: str, proxy: tuple[str, int] | None, keep: tuple[str, int] | None) -> DialogData:
        """The dialog with remote target `target` and the address that follows from it: the first route, else `keep`,
        else the outbound `proxy`, else the target itself. A strict router gets its own URI (RFC 3261, 12.2.1.1)."""
        if self.routes:
            first = uri_of(self.routes[0])
            destination = address_of(first)
            if ";lr" not in first.lower():
                routes = (*self.routes[1:], f"<{target}>")
                return replace(self, remote_target=first, routes=routes, destination=destination)
            return replace(self, remote_target=target, destination=destination)
        return replace(self, remote_target=target, destination=keep or proxy or address_of(target))

    def to_port(self, leg_id: str, trunk_id: int, confirmed: bool) -> Dialog:
        """The dialog as the engine keeps it."""
        headers = {
            "local": self.local,
            "remote": self.remote,
            "remote_target": self.remote_target,
            "host": self.destination[0],
            "port": str(self.destination[1]),
            "via": self.via,
            "branch": self.branch,
            "contact": self.contact,
            "cseq": str(self.cseq),
            "remote_cseq": str(self.remote_cseq),
            "routes": json.dumps(self.routes),
            "session": f"{self.session.number} {self.session.version}",
            "tries": str(self.tries),
        }
        if self.local_sdp is not None:
            sdp = self.local_sdp
            headers["sdp"] = json.dumps([sdp.address.ip, sdp.address.port, sdp.codec, sdp.dtmf_pt, sdp.direction])
        return Dialog(leg_id, trunk_id, self.call_id, "confirmed" if confirmed else "early", headers)

    @classmethod
    def from_port(cls, dialog: Dialog) -> DialogData:
        """Read what `to_port` wrote. Raises KeyError or ValueError on anything else."""
        headers = dialog.headers
        number, version = headers["session"].split()
        sdp = None
        if "sdp" in headers:
            ip, port, codec, dtmf_pt, direction = json.loads(headers["sdp"])
            sdp = Sdp(MediaAddress(ip, port), codec, dtmf_pt, direction)
        return cls(
            call_id=dialog.call_id,
            local=headers["local"],
            remote=headers["remote"],
            remote_target=headers["remote_target"],
            destination=(headers["host"], int(headers["port"])),
            via=headers["via"],
            branch=headers["branch"],
            contact=headers["contact"],
            cseq=int(headers["cseq"]),
            routes=tuple(json.loads(headers["routes"])),
            remote_cseq=int(headers["remote_cseq"]),
            session=SessionId(int(number), int(version)),
            local_sdp=sdp,
            tries=int(headers["tries"]),
        )

    def for_successor(self) -> DialogData:
        """The dialog with room for requests that the former process sent unrecorded."""
        session = SessionId(self.session.number, self.session.version + _SUCCESSOR_CSEQ_GAP)
        return replace(self, cseq=self.cseq + _SUCCESSOR_CSEQ_GAP, session=session)


def uri_of(body: str) -> str:
    """The URI in a Route or Contact body."""
    match = re.search(r"<([^>]*)>", body)
    return match.group(1) if match else body.split(";")[0].strip()


def address_of(uri: str) -> tuple[str, int]:
    """(host, port) of a SIP URI; port 5060 if it names none. Raises ValueError if there is no host."""
    match = _HOST.match(uri)
    if match is None:
        raise ValueError(f"no host in {uri!r}")
    return match.group(1), int(match.group(2) or 5060)


def tag_of(body: str) -> str:
    """The tag parameter of a From or To body, "" without."""
    match = re.search(r";\s*tag\s*=\s*([^;\s>]+)", body.rpartition(">")[2] if ">" in body else body, re.IGNORECASE)
    return match.group(1) if match else ""


def branch_of_try(branch: str, number: int) -> str:
    """The branch of the `number`th INVITE (1, 2 …) of a leg: known beforehand, so that a successor can cancel the one
    that digest sent after the dialog was stored."""
    return branch if number == 1 else f"{branch}.{number}"


def request_text(
    method: str,
    dialog: DialogData,
    branch: str,
    *,
    agent: str,
    cseq: int | None = None,
    extra: tuple[str, ...] = (),
    body: str = "",
) -> str:
    """A request in (or for) `dialog`. `extra` are whole header lines; `body` is a session description."""
    lines = [
        f"{method} {dialog.remote_target} SIP/2.0",
        f"Via: {dialog.via};branch={branch}",
        *(f"Route: {route}" for route in dialog.routes),
        "Max-Forwards: 70",
        f"From: {dialog.local}",
        f"To: {dialog.remote}",
        f"Call-ID: {dialog.call_id}",
        f"CSeq: {dialog.cseq if cseq is None else cseq} {method}",
    ]
    if method in ("INVITE", "UPDATE", "REGISTER"):
        lines.append(f"Contact: {dialog.contact}")
    if method != "ACK":
        lines.append(f"User-Agent: {agent}")
    if method in ("INVITE", "UPDATE"):
        lines.append(f"Allow: {ALLOW}")
    lines += extra
    if body:
        lines.append("Content-Type: application/sdp")
    lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join(lines) + "\r\n\r\n" + body
