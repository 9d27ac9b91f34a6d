"""An engine that calls, prints the dialog of each event as a line of JSON, and waits to be killed.

python -m tests.telephony.sip.doomed_engine OWN_PORT CARRIER_PORT [USERNAME PASSWORD]
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict

from callcenter.telephony.ports import LegAnswered, LegTrying, SipEvent
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


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
