"""A CMPP 2.0 gateway for tests, a process of its own: `python cmpp_gateway.py PORT SECRET`.

Submissions are read by pycmpp, an implementation that is not ours. What came is written to standard output, a line of
JSON each. The end of the number says what becomes of a text: 01 flow control the first time, 02 wrong destination,
03 the connection is dropped instead of an answer, 04 no receipt comes, 05 the receipt says UNDELIV and comes before the
answer. A line on standard input, {"from", "to", "parts": [hex], "format", "udhi"}, is delivered.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
import sys
from typing import Any

from pycmpp.request import SubmitRequestInstance  # type: ignore[import-untyped]

CONNECT, TERMINATE, SUBMIT, DELIVER, ACTIVE_TEST = 1, 2, 4, 5, 8
ANSWER = 0x80000000


def say(**what: Any) -> None:
    """One line for the test."""
    print(json.dumps(what, ensure_ascii=False), flush=True)


class Gateway:
    def __init__(self, secret: str) -> None:
        self.secret = secret.encode()
        self.next_id = 0x1234_5678_0000_0000
        self.slowed: set[str] = set()
        self.writers: list[asyncio.StreamWriter] = []
        self.sequence = 7000

    def write(self, writer: asyncio.StreamWriter, command: int, sequence: int, body: bytes = b"") -> None:
        writer.write(struct.pack("!III", 12 + len(body), command, sequence) + body)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                head = await reader.readexactly(12)
                length, command, sequence = struct.unpack("!III", head)
                body = await reader.readexactly(length - 12)
                if not self.take(writer, command, sequence, head, body):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        if writer in self.writers:
            self.writers.remove(writer)
        writer.close()

    def take(self, writer: asyncio.StreamWriter, command: int, sequence: int, head: bytes, body: bytes) -> bool:
        """Answer one PDU; False ends the connection."""
        if command == CONNECT:
            stamp = f"{struct.unpack('!I', body[23:27])[0]:010d}".encode()
            right = hashlib.md5(body[:6] + bytes(9) + self.secret + stamp).digest() == body[6:22]
            self.write(writer, command | ANSWER, sequence, bytes([0 if right else 3]) + bytes(16) + b"\x20")
            say(event="connect", right=right, sp=body[:6].decode(), version=body[22])
            if right:
                self.writers.append(writer)
            return right
        if command == SUBMIT:
            return self.submit(writer, sequence, head + body)
        if command == ACTIVE_TEST:
            self.write(writer, command | ANSWER, sequence, b"\x00")
        elif command == TERMINATE:
            self.write(writer, command | ANSWER, sequence)
            say(event="terminate")
        elif command == DELIVER | ANSWER:
            say(event="deliver_answer", msg_id=int.from_bytes(body[:8], "big"), result=body[8])
        return True

    def submit(self, writer: asyncio.StreamWriter, sequence: int, raw: bytes) -> bool:
        content_at = 12 + 117 + 21
        length = raw[content_at]
        if raw[12 + 46] != 8:  # pycmpp reads UCS-2 only
            read = SubmitRequestInstance().resolve(raw[:content_at] + b"\x00" + raw[content_at + 1 + length :])
        else:
            read = SubmitRequestInstance().resolve(raw)
        phone = read["dest_terminal_id"].strip("\x00")
        content = raw[content_at + 1 : content_at + 1 + length]
        say(
            event="submit", phone=phone, source=read["src_id"].strip("\x00"), total=read["pk_total"],
            number=read["pk_number"], udhi=read["tp_udhi"], format=read["msg_fmt"], content=content.hex(),
            receipt=read["register_delivery"], sp=read["msg_src"],
        )  # fmt: skip
        end = phone[-2:]
        if end == "03":
            return False
        if end == "01" and phone not in self.slowed:
            self.slowed.add(phone)
            self.write(writer, SUBMIT | ANSWER, sequence, bytes(8) + b"\x08")
            return True
        if end == "02":
            self.write(writer, SUBMIT | ANSWER, sequence, bytes(8) + b"\x0d")
            return True
        self.next_id += 1
        answer = self.next_id.to_bytes(8, "big") + b"\x00"
        if end == "05":
            self.receipt(writer, self.next_id, phone, b"UNDELIV")
        self.write(writer, SUBMIT | ANSWER, sequence, answer)
        if end not in ("04", "05"):
            self.receipt(writer, self.next_id, phone, b"DELIVRD")
        return True

    def receipt(self, writer: asyncio.StreamWriter, msg_id: int, phone: str, stat: bytes) -> None:
        report = (
            msg_id.to_bytes(8, "big")
            + stat
            + b"2611220930"
            + b"2611220931"
            + phone.encode().ljust(21, b"\0")
            + bytes(4)
        )
        self.deliver(writer, msg_id, b"106", phone.encode(), 0, 0, 1, report)

    def deliver(
        self, writer: asyncio.StreamWriter, msg_id: int, to: bytes, sender: bytes, udhi: int, form: int, kind: int,
        content: bytes,
    ) -> None:  # fmt: skip
        body = (
            msg_id.to_bytes(8, "big") + to.ljust(21, b"\0") + bytes(10) + bytes([0, udhi, form])
            + sender.ljust(21, b"\0") + bytes([kind, len(content)]) + content + bytes(8)
        )  # fmt: skip
        self.sequence += 1
        self.write(writer, DELIVER, self.sequence, body)

    async def orders(self) -> None:
        """Lines of standard input."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            order = json.loads(line)
            for n, part in enumerate(order["parts"]):
                self.deliver(
                    self.writers[0], 900 + n, order["to"].encode(), order["from"].encode(), order["udhi"],
                    order["format"], 0, bytes.fromhex(part),
                )  # fmt: skip


async def main(port: int, secret: str) -> None:
    gateway = Gateway(secret)
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", port)
    say(event="ready")
    async with server:
        await gateway.orders()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
