"""`python -m tests.peers.smsc_smpp34 PORT`: an SMSC over the Rust library smpp34, in a process of its own.

Takes everything, refuses recipients that end in 7, and sends a receipt for each text: numbers that end in 3 failed. One
JSON object a line on standard output for each text it took.
"""

from __future__ import annotations

import asyncio
import json
import sys

import smpp34


async def main(port: int) -> None:
    """Serve until the process is ended."""
    server = smpp34.Server("127.0.0.1", port)
    await server.start()
    print(json.dumps({"event": "listening", "port": port}), flush=True)
    esme: smpp34.Esme | None = None
    receipts: set[asyncio.Task[object]] = set()
    number = 0
    while True:
        event = await server.next()
        if isinstance(event, smpp34.Esme):
            esme = event
        elif isinstance(event, smpp34.SubmitSmEvent):
            if event.destination_addr.endswith("7"):
                event.reject(smpp34.ESME_RINVDSTADR)
                continue
            number += 1
            event.accept(f"{number:08x}")
            taken = {"event": "taken", "to": event.destination_addr, "esm": event.esm_class, "dc": event.data_coding,
                     "message": event.short_message.hex()}  # fmt: skip
            print(json.dumps(taken), flush=True)
            stat = "UNDELIV" if event.destination_addr.endswith("3") else "DELIVRD"
            told = f"id:{number:08x} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:{stat} err:000"
            if esme is not None:
                sending = esme.deliver_sm(
                    event.source_addr, told.encode(), source_addr=event.destination_addr, esm_class=4
                )
                task = asyncio.ensure_future(sending)
                receipts.add(task)
                task.add_done_callback(receipts.discard)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
