"""What the calls and trunk agents of one `SippyPort` share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from callcenter.telephony.ports import SipEvent
from callcenter.telephony.sip.requests import Request
from callcenter.telephony.sip.transactions import Transactions
from callcenter.telephony.sip.udp import Address


@dataclass
class Line:
    """The port's transactions, loop and own address, where events go, and its patience."""

    transactions: Transactions
    loop: asyncio.AbstractEventLoop
    address: Address
    tell: Callable[[SipEvent], None]
    ended: Callable[[Any], None]  # hears of each Call that ended
    cancel_grace_s: float = 5.0
    no_response_s: float = 32.0

    @property
    def via(self) -> str:
        return f"SIP/2.0/UDP {self.address[0]}:{self.address[1]};rport"

    def send(self, request: Request, on_response: Callable[[Any, Any], None]) -> Any:
        """Start a client transaction; `on_response(response, transaction)` hears each response, or a LocalTimeout."""
        transaction = self.transactions.newTransaction(request, on_response, cb_ifver=2)
        if request.method == "INVITE":
            self.transactions.limit_silence(transaction, self.no_response_s)
        return transaction


def new_branch() -> str:
    """A branch parameter that no other transaction has."""
    return "z9hG4bK" + token_hex(8)
