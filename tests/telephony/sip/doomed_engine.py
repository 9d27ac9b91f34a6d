"""An engine that calls, prints the dialog of each event as a line of JSON, and waits to be killed; or one that answers
who calls it, prints the dialog before, and does not hear the ACK.

python -m tests.telephony.sip.doomed_engine OWN_PORT CARRIER_PORT [USERNAME PASSWORD | --answers]
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict

from callcenter.telephony.ports import InboundCall, LegAnswered, LegTrying, SipEvent
from callcenter.telephony.sip.adapter import SippyPort
from tests.telephony.sip.harness import CALLEE, CALLER, LOCAL, trunk


async def main(own_port: int, carrier_port: int, username: str = "", password: str = "") -> None:
    def on_event(event: SipEvent) -> None:
        if isinstance(event, LegTrying | LegAnswered):
            print(json.dumps(asdict(event.dialog)), flush=True)

    port = SippyPort("127.0.0.1", own_port)
    await port.start(on_event)
    port.set_trunks({1: trunk(carrier_port, username=username, password=password)})
    port.originate("leg", 1, CALLEE, CALLER, LOCAL, 30.0)
    await asyncio.sleep(30)


async def answer(own_port: int, carrier_port: int) -> None:
    def on_event(event: SipEvent) -> None:
        if isinstance(event, InboundCall):
            port.accept(event.leg_id, LOCAL, ring_only=True)
            dialog = port.prepare(event.leg_id, LOCAL)
            assert dialog is not None
            print(json.dumps(asdict(dialog)), flush=True)
            asyncio.get_running_loop().call_later(0.15, send, event.leg_id)

    def send(leg_id: str) -> None:
        port.accept(leg_id, LOCAL)
        print("sent", flush=True)

    port = SippyPort("127.0.0.1", own_port)
    await port.start(on_event)
    port.set_trunks({1: trunk(carrier_port)})
    print("up", flush=True)
    await asyncio.sleep(30)


if __name__ == "__main__":
    own, carrier, *rest = sys.argv[1:]
    work = answer(int(own), int(carrier)) if rest == ["--answers"] else main(int(own), int(carrier), *rest)
    asyncio.run(work)
