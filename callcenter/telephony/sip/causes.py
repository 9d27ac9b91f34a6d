"""Which `Cause` a SIP failure means. Pure.

The status is what the far end or a proxy on the way said (RFC 3261, section 21). Gateways to the telephone network hide
the true reason behind a general status and put it into a Reason header (RFC 3326) as a Q.850 cause, which then counts.
"""

from __future__ import annotations

import re

from callcenter.telephony.ports import Cause

_BY_STATUS = {
    486: Cause.BUSY,
    600: Cause.BUSY,
    480: Cause.NO_ANSWER,
    487: Cause.NO_ANSWER,  # the network's own ring time-out: we did not cancel
    603: Cause.DECLINED,
    607: Cause.DECLINED,
    608: Cause.DECLINED,
    404: Cause.INVALID,
    410: Cause.INVALID,
    416: Cause.INVALID,
    484: Cause.INVALID,
    485: Cause.INVALID,
    604: Cause.INVALID,
    482: Cause.CONGESTION,
    483: Cause.CONGESTION,
    491: Cause.CONGESTION,
}

# ITU-T Q.850 causes that say more than the SIP status beside them.
_BY_Q850 = {
    1: Cause.INVALID,  # unallocated number
    22: Cause.INVALID,  # number changed
    28: Cause.INVALID,  # invalid number format
    17: Cause.BUSY,
    18: Cause.NO_ANSWER,  # no user responding
    19: Cause.NO_ANSWER,  # no answer from user
    20: Cause.NO_ANSWER,  # subscriber absent
    21: Cause.DECLINED,  # call rejected
    34: Cause.CONGESTION,
    38: Cause.CONGESTION,
    41: Cause.CONGESTION,
    42: Cause.CONGESTION,
    44: Cause.CONGESTION,
}

_Q850 = re.compile(r"Q\.850\s*;[^,]*?cause\s*=\s*(\d{1,3})", re.IGNORECASE)


def q850_of(reason_header: str) -> int | None:
    """The Q.850 cause in the text of a Reason header, or None."""
    match = _Q850.search(reason_header)
    return int(match.group(1)) if match else None


def cause_of(status: int, *, rang: bool, q850: int | None = None) -> Cause:
    """The cause that final `status` (300 to 699) of an INVITE means. `rang` tells whether 18x came before; `q850` is
    the cause of a Reason header, and counts where the status is a general one (480 and 5xx)."""
    if q850 in _BY_Q850 and (status == 480 or 500 <= status <= 599):
        return _BY_Q850[q850]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status == 408:
        return Cause.NO_ANSWER if rang else Cause.UNREACHABLE
    if status == 403:
        return Cause.DECLINED if rang else Cause.REJECTED
    if 500 <= status <= 599:
        return Cause.CONGESTION
    if status >= 600 and status != 606:
        return Cause.DECLINED
    return Cause.REJECTED
