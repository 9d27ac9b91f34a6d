"""Receipts as carriers write them: in a deliver_sm or data_sm, as text, as parameters, or both. Pure.

The text is that of SMPP 3.4 appendix B (`id:… sub:… dlvrd:… submit date:… done date:… stat:… err:… text:…`), which
carriers vary in case, spacing, order and completeness. The parameters receipted_message_id and message_state, where
they stand, are believed first.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from smpplib import consts  # type: ignore[import-untyped]

from smsgateway.carriers import smpp_pdu as pdu
from smsgateway.carriers.port import Receipt, ReceiptStatus
from smsgateway.carriers.refs import normalise
from smsgateway.carriers.smpp_settings import Settings
from smsgateway.carriers.smpp_text import decode

_TYPE = 0x3C  # of esm_class
_RECEIPT_TYPES = (0x04, 0x08, 0x10, 0x20)  # receipt, delivery and user acknowledgement, intermediate notification
_INTERMEDIATE = 0x20
_FIELD = re.compile(
    r"(?<![a-z])(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat(?:us)?|err(?:or)?|text)\s*[:=]\s*", re.IGNORECASE
)
# As the specification writes it, which most do: found without looking at each place of the text.
_EXACT = re.compile(
    r"id:(?P<id>\S+) sub:\S* dlvrd:\S* submit date:\S*"
    r" done date:(?P<done>\d*) stat:(?P<stat>[A-Za-z_]+) err:(?P<err>\S*)"
)
_NAMES = {"stat": "stat", "done": "done", "id": "id"}
_OF_STATE = {
    0: ReceiptStatus.UNDER_WAY,  # scheduled, in version 5
    consts.SMPP_MESSAGE_STATE_ENROUTE: ReceiptStatus.UNDER_WAY,
    consts.SMPP_MESSAGE_STATE_DELIVERED: ReceiptStatus.DELIVERED,
    consts.SMPP_MESSAGE_STATE_EXPIRED: ReceiptStatus.EXPIRED,
    consts.SMPP_MESSAGE_STATE_DELETED: ReceiptStatus.FAILED,
    consts.SMPP_MESSAGE_STATE_UNDELIVERABLE: ReceiptStatus.FAILED,
    consts.SMPP_MESSAGE_STATE_ACCEPTED: ReceiptStatus.UNDER_WAY,
    consts.SMPP_MESSAGE_STATE_UNKNOWN: ReceiptStatus.FAILED,
    consts.SMPP_MESSAGE_STATE_REJECTED: ReceiptStatus.FAILED,
    9: ReceiptStatus.FAILED,  # skipped, in version 5
}
_STATE_NAMES = {
    0: "SCHEDULED", 1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 6: "ACCEPTD", 7: "UNKNOWN",
    8: "REJECTD", 9: "SKIPPED",
}  # fmt: skip
_BEGINNINGS = (  # of the word after `stat:`; carriers write DELIVRD, DELIVERED, UNDELIVERABLE …
    ("DELIV", ReceiptStatus.DELIVERED),
    ("EXPIR", ReceiptStatus.EXPIRED),
    ("ENROUT", ReceiptStatus.UNDER_WAY),
    ("EN_ROUT", ReceiptStatus.UNDER_WAY),
    ("ACCEPT", ReceiptStatus.UNDER_WAY),
    ("BUFFER", ReceiptStatus.UNDER_WAY),
    ("SCHEDUL", ReceiptStatus.UNDER_WAY),
    ("READ", ReceiptStatus.READ),
)


def is_receipt(message: pdu.ShortMessage) -> bool:
    """Whether it is about a text of ours, and no text of a person's."""
    return message.esm_class & _TYPE in _RECEIPT_TYPES or pdu.RECEIPTED_MESSAGE_ID in message.tlvs


def read(message: pdu.ShortMessage, settings: Settings, now: float) -> Receipt | None:
    """The receipt, or None if it does not say of which text, or not what became of it."""
    raw = message.message
    said = decode(message.data_coding, raw) if message.data_coding & 0x0C == 0x08 else raw.decode("latin-1")
    told = _fields(said)
    named = message.tlvs.get(pdu.RECEIPTED_MESSAGE_ID, b"").rstrip(b"\x00").decode("latin-1")
    ref = normalise(named or told.get("id", ""), settings.notations.receipt)
    if not ref:
        return None
    state = message.tlvs.get(pdu.MESSAGE_STATE)
    word = told.get("stat", "").upper()
    if state is not None and len(state) == 1 and state[0] in _OF_STATE:
        status, word = _OF_STATE[state[0]], word or _STATE_NAMES[state[0]]
    elif word:
        status = next((s for beginning, s in _BEGINNINGS if word.startswith(beginning)), ReceiptStatus.FAILED)
    elif message.esm_class & _TYPE == _INTERMEDIATE:
        status = ReceiptStatus.UNDER_WAY
    else:
        return None
    return Receipt(ref, status, _code(word, told.get("err", ""), message), _at(told.get("done", ""), settings, now))


def _fields(said: str) -> dict[str, str]:
    """id, stat, err and done (date) of a receipt's text; its `text:`, which anybody may have written, is not read."""
    exact = _EXACT.match(said)
    if exact is not None:
        return exact.groupdict()
    out: dict[str, str] = {}
    found = list(_FIELD.finditer(said))
    for i, match in enumerate(found):
        name = match[1].lower()
        if name == "text":
            break
        end = found[i + 1].start() if i + 1 < len(found) else len(said)
        words = said[match.end() : end].split()
        out.setdefault(_NAMES.get(name[:4], name[:3]), words[0].strip(",;") if words else "")
    return out


def _code(word: str, err: str, message: pdu.ShortMessage) -> str:
    network = message.tlvs.get(pdu.NETWORK_ERROR_CODE, b"")
    if not err.strip("0") and len(network) == 3 and any(network[1:]):
        err = f"{network[0]}:{int.from_bytes(network[1:], 'big')}"
    shown = f"{word}/{err}" if err.strip("0") else word
    return shown if shown.isalnum() else "".join(c for c in shown if c.isprintable())[:60]


def _at(date: str, settings: Settings, now: float) -> float:
    """Seconds since the epoch; now for a date that is none, or is not within the last month."""
    at = _parsed(date, settings.zone) if date else None
    return at if at is not None and now - 30 * 86400 <= at <= now else now


@lru_cache(maxsize=1024)
def _parsed(date: str, zone: str) -> float | None:
    form = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}.get(len(date), "")
    if len(date) == 12 and date.startswith("20"):
        form = "%Y%m%d%H%M"
    try:
        return datetime.strptime(date, form).replace(tzinfo=ZoneInfo(zone)).timestamp()
    except (ValueError, OverflowError):
        return None
