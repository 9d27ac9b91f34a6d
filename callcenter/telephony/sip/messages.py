"""Small readings of Sippy's parsed messages, and the responses we give."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sippy.MsgBody import MsgBody
from sippy.SipHeader import SipHeader

from callcenter.telephony.ports import Sdp
from callcenter.telephony.sip.dialog import uri_of
from callcenter.telephony.sip.sdp import UnusableSdp, parse
from callcenter.telephony.sip.transactions import PRODUCT


def body_of(message: Any) -> str:
    """The session description in `message` as text, from inside a multipart body too; "" if there is none."""
    body = message.getBody()
    if body is None:
        return ""
    kind = body.getType()
    text = str(body.content)
    if kind == "application/sdp":
        return text
    if kind.startswith("multipart/"):
        start = text.find("v=0")
        if start >= 0:
            end = text.find("\r\n--", start)
            return text[start : end if end > 0 else len(text)]
    return ""


def contact_of(message: Any) -> str | None:
    """The URI in the Contact of `message`, or None without one."""
    for body in message.getHFBodys("contact"):
        if not body.asterisk:
            return uri_of(body.body)  # as it was written: printed by Sippy it may lose parameters it does not know
    return None


def routes_of(message: Any) -> tuple[str, ...]:
    """The Record-Route bodies of `message`, in its order."""
    return tuple(str(body.body).strip() for body in message.getHFBodys("record-route"))


def response(
    req: Any,
    status: int,
    reason: str,
    *,
    contact: str = "",
    allow: str = "",
    body: str = "",
    to_tag: str = "",
    headers: Iterable[tuple[str, str]] = (),
) -> Any:
    """A response to `req`. `contact` is a whole Contact body, `body` a session description, `headers` are further names
    and bodies; `to_tag` is set if the request has none."""
    resp = req.genResponse(status, reason, server=PRODUCT)
    if to_tag and resp.getHFBody("to").getTag() is None:
        resp.getHFBody("to").setTag(to_tag)
    if contact:
        resp.appendHeader(SipHeader(name="contact", bodys=contact))
    if allow:
        resp.appendHeader(SipHeader(name="allow", bodys=allow))
    for name, text in headers:
        resp.appendHeader(SipHeader(s=f"{name}: {text}"))
    if body:
        resp.setBody(MsgBody(body))
    return resp


def sdp_of(message: Any) -> Sdp | None:
    """The usable session description of `message`, or None."""
    text = body_of(message)
    if not text:
        return None
    try:
        return parse(text)
    except UnusableSdp:
        return None
