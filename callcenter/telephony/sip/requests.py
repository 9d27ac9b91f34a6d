"""Our own requests, in the shape that Sippy's transaction manager asks of a message.

Sippy's message classes parse and print each header as an object, which costs more than all else of a call. What we send
ourselves we know already, so these classes answer the manager's questions from `DialogData` and print one text.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from callcenter.telephony.sip.dialog import DialogData, request_text, tag_of
from callcenter.telephony.sip.transactions import PRODUCT
from callcenter.telephony.sip.udp import Address


class LocalTimeout:
    """Sippy's stand-in for a response when none came: timer B or F."""

    scode = 408
    reason = "no response"
    rtime: Any = None


class Request:
    """A request of ours. `branch` of its Via, `cseq` its number (that of `dialog` if left out)."""

    def __init__(
        self,
        method: str,
        dialog: DialogData,
        branch: str,
        *,
        cseq: int | None = None,
        extra: tuple[str, ...] = (),
        body: str = "",
    ) -> None:
        self.method, self.dialog, self.branch = method, dialog, branch
        self.cseq = dialog.cseq if cseq is None else cseq
        self.extra, self.body = extra, body

    def text(self) -> str:
        """The message as it goes out."""
        return request_text(
            self.method, self.dialog, self.branch, agent=PRODUCT, cseq=self.cseq, extra=self.extra, body=self.body
        )

    # What the transaction manager asks, under its names.

    def getMethod(self) -> str:
        return self.method

    def getTId(self, *_: object) -> tuple[str, str, int, str, str]:
        return self.dialog.call_id, tag_of(self.dialog.local), self.cseq, self.method, self.branch

    def getTarget(self) -> tuple[Address, str]:
        return self.dialog.destination, "udp"

    def localStr(self, *_: object, **__: object) -> str:
        return self.text()

    def getHFBody(self, name: str) -> Any:
        raise IndexError(name)  # no Expires: an INVITE may ring as long as our own timer allows

    def appendHeaders(self, _: object) -> None:
        return

    def genACK(self) -> FailureAck:
        return FailureAck(self)

    def genCANCEL(self) -> Request:
        return Request("CANCEL", self.dialog, self.branch, cseq=self.cseq)

    def genResponse(self, *_: object) -> LocalTimeout:
        return LocalTimeout()


class FailureAck:
    """The ACK of a failed INVITE: same branch, same way, with the tag of the failure (RFC 3261, section 17.1.1.3)."""

    def __init__(self, invite: Request) -> None:
        self._invite = invite
        self._tag = ""

    def getHFBody(self, _: str) -> FailureAck:
        return self  # asked for "to" (to set the tag) and "via" (to change the branch, which stays here)

    def setTag(self, tag: str) -> None:
        self._tag = tag

    def ignore(self, *_: object) -> None:
        return

    genBranch = setRURI = setTarget = delHFs = appendHeaders = ignore

    def localStr(self, *_: object, **__: object) -> str:
        return failure_ack_text(self._invite.dialog, self._invite.branch, self._invite.cseq, self._tag)


def failure_ack_text(dialog: DialogData, branch: str, cseq: int, to_tag: str) -> str:
    """The ACK of a failed INVITE as text."""
    to = f"{dialog.remote};tag={to_tag}" if to_tag and not dialog.remote_tag else dialog.remote
    return request_text("ACK", replace(dialog, remote=to), branch, agent=PRODUCT, cseq=cseq)
