"""A CMPP gateway for tests, a process of its own: `python cmpp_gateway.py PORT SECRET VERSION`.

Two implementations that are not ours judge what comes. 2.0: submissions are read by pycmpp. 3.0: each CONNECT and
SUBMIT must be byte for byte what cmppy writes of the same fields, and what is answered is read back by cmppy. What came
is written to standard output, a line of JSON each. The end of the number says what becomes of a text: 01 flow control
the first time, 02 wrong destination, 03 the connection is dropped instead of an answer, 04 no receipt comes, 05 the
receipt says UNDELIV and comes before the answer. A line on standard input, {"from", "to", "parts": [hex], "format",
"udhi"}, is delivered.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
import sys
from typing import Any

from cmppy.request import ConnectReq, SubmitReq  # type: ignore[import-untyped]
from cmppy.response import parse_response  # type: ignore[import-untyped]
from pycmpp.request import SubmitRequestInstance  # type: ignore[import-untyped]

CONNECT, TERMINATE, SUBMIT, DELIVER, ACTIVE_TEST = 1, 2, 4, 5, 8
ANSWER = 0x80000000


def say(**what: Any) -> None:
    """One line for the test."""
    print(json.dumps(what, ensure_ascii=False), flush=True)


def read_2(raw: bytes) -> tuple[dict[str, Any], bytes]:
    """Fields by pycmpp's names, and the content, of a SUBMIT of 2.0."""
    at = 12 + 117 + 21
    length = raw[at]
    if raw[12 + 46] != 8:  # pycmpp reads UCS-2 only
        found = SubmitRequestInstance().resolve(raw[:at] + b"\x00" + raw[at + 1 + length :])
    else:
        found = SubmitRequestInstance().resolve(raw)
    return found, raw[at + 1 : at + 1 + length]


_LAYOUT = (
    "msg_id:8 pk_total:1 pk_number:1 register_delivery:1 msg_level:1 service_id:10 fee_usertype:1 fee_terminal_id:32"
    " fee_terminal_type:1 tp_pid:1 tp_udhi:1 msg_fmt:1 msg_src:6 feetype:2 feecode:6 valid_time:17 at_time:17 src_id:21"
    " destusr_tl:1 dest_terminal_id:32 dest_terminal_type:1 msg_length:1"
)


def read_3(raw: bytes) -> tuple[dict[str, Any], bytes]:
    """The same of 3.0. Raises ValueError where cmppy writes these fields otherwise."""
    body, at, found = raw[12:], 0, dict[str, Any]()
    for name, size in (word.split(":") for word in _LAYOUT.split()):
        piece = body[at : at + int(size)]
        found[name] = piece[0] if size == "1" else piece.decode("ascii")
        at += int(size)
    content, rest = body[at : at + found["msg_length"]], body[at + found["msg_length"] :]
    named = {n: v.rstrip("\0") for n, v in found.items() if isinstance(v, str) and not n.endswith("_time")}
    numbers = (
        "pk_total",
        "pk_number",
        "msg_level",
        "fee_usertype",
        "fee_terminal_type",
        "tp_pid",
        "tp_udhi",
        "msg_fmt",
    )
    known = found["msg_fmt"] == 8 and len(content) < 140  # it writes UCS-2 only, and one character less than a part has
    theirs = SubmitReq(
        found["msg_src"], content.decode("utf-16-be") if known else "", src_id=named["src_id"],
        dest_terminal_id=[named["dest_terminal_id"]], registered_delivery=found["register_delivery"],
        service_id=named["service_id"], fee_terminal_id=named["fee_terminal_id"], feetype=found["feetype"],
        feecode=found["feecode"], valid_time=found["valid_time"], at_time=found["at_time"],
        dest_terminal_type=found["dest_terminal_type"], **{n: found[n] for n in numbers},
    )  # fmt: skip
    ours = body if known else body[: at - 1] + b"\0" + rest
    if theirs.message[12:] != ours:
        raise ValueError(f"cmppy writes {theirs.message[12:].hex()}, not {ours.hex()}")
    return found, content


class Gateway:
    def __init__(self, secret: str, version: str) -> None:
        self.secret = secret.encode()
        self.third = version == "3.0"
        self.next_id = 0x1234_5678_0000_0000
        self.slowed: set[str] = set()
        self.writers: list[asyncio.StreamWriter] = []
        self.sequence = 7000

    def write(self, writer: asyncio.StreamWriter, command: int, sequence: int, body: bytes = b"") -> None:
        raw = struct.pack("!III", 12 + len(body), command, sequence) + body
        if self.third and command in (CONNECT | ANSWER, SUBMIT | ANSWER):
            parse_response(raw)
        writer.write(raw)

    def status(self, value: int) -> bytes:
        """A status or result."""
        return value.to_bytes(4 if self.third else 1, "big")

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
            if right and self.third:
                right = self.as_cmppy(body)
            version = b"\x30" if self.third else b"\x20"
            self.write(writer, command | ANSWER, sequence, self.status(0 if right else 3) + bytes(16) + version)
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
            assert len(body) == (12 if self.third else 9)
            say(event="deliver_answer", msg_id=int.from_bytes(body[:8], "big"), result=int.from_bytes(body[8:], "big"))
        return True

    def as_cmppy(self, body: bytes) -> bool:
        """Whether cmppy connects in the same words; its clock is not the gateway's."""
        theirs = ConnectReq(body[:6].decode(), self.secret.decode()).message[12:]
        return (len(theirs), theirs[:6], theirs[22]) == (len(body), body[:6], body[22])

    def submit(self, writer: asyncio.StreamWriter, sequence: int, raw: bytes) -> bool:
        read, content = (read_3 if self.third else read_2)(raw)
        phone = read["dest_terminal_id"].strip("\x00")
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
            self.write(writer, SUBMIT | ANSWER, sequence, bytes(8) + self.status(8))
            return True
        if end == "02":
            self.write(writer, SUBMIT | ANSWER, sequence, bytes(8) + self.status(13))
            return True
        self.next_id += 1
        answer = self.next_id.to_bytes(8, "big") + self.status(0)
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
            + phone.encode().ljust(32 if self.third else 21, b"\0")
            + bytes(4)
        )
        self.deliver(writer, msg_id, b"106", phone.encode(), 0, 0, 1, report)

    def deliver(
        self, writer: asyncio.StreamWriter, msg_id: int, to: bytes, sender: bytes, udhi: int, form: int, kind: int,
        content: bytes,
    ) -> None:  # fmt: skip
        source = sender.ljust(32, b"\0") + b"\0" if self.third else sender.ljust(21, b"\0")
        body = (
            msg_id.to_bytes(8, "big") + to.ljust(21, b"\0") + bytes(10) + bytes([0, udhi, form]) + source
            + bytes([kind, len(content)]) + content + bytes(20 if self.third else 8)
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


async def main(port: int, secret: str, version: str) -> None:
    gateway = Gateway(secret, version)
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", port)
    say(event="ready")
    async with server:
        await gateway.orders()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
