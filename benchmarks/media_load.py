"""The load of `benchmarks.media`: one process that is both far ends of many calls and times every packet.

Reads one JSON object from standard input: `targets` (list of [ip, port], one a flow), `port` (its own UDP port),
`warm_up_s`, `seconds`. Prints "measuring" when the warm-up is over and one JSON object with the results at the end.
Each flow sends 160 bytes of µ-law every 20 ms, spread evenly; the first bytes of the payload hold the flow's number and
the time of sending. Some more flows go straight back to itself: the floor that loopback and this process add.
"""

from __future__ import annotations

import array
import json
import select
import socket
import struct
import sys
import time

import numpy as np

FLOOR_FLOWS = 40
CHUNKS = 40  # bursts in 20 ms
CHUNK_NS = 20_000_000 // CHUNKS
_PACKET = struct.Struct("!HHIIIQ")
_STAMP = struct.Struct("!IQ")


def percentiles(values: array.array[int]) -> dict[str, float]:
    """p50, p99, p99.9 and the greatest of nanoseconds, in milliseconds."""
    if not values:
        return {}
    data = np.frombuffer(values, np.int64) / 1e6
    p50, p99, p999 = (float(x) for x in np.percentile(data, (50, 99, 99.9)))
    return {"p50": p50, "p99": p99, "p999": p999, "max": float(data.max())}


def run(targets: list[tuple[str, int]], port: int, warm_up_s: float, seconds: float) -> dict[str, object]:
    """Send, receive and time; returns what is printed."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
    udp.bind(("127.0.0.1", port))
    udp.setblocking(False)
    flows = len(targets)
    everybody = targets + [("127.0.0.1", port)] * FLOOR_FLOWS
    chunks = [range(len(everybody))[n::CHUNKS] for n in range(CHUNKS)]
    epoll = select.epoll()
    epoll.register(udp.fileno(), select.EPOLLIN)
    packet = bytearray(b"\xd5" * 172)
    incoming = bytearray(2048)
    relayed, floor, late = array.array("q"), array.array("q"), array.array("q")
    clock, pack, unpack = time.monotonic_ns, _PACKET.pack_into, _STAMP.unpack_from
    sendto, recv_into = udp.sendto, udp.recv_into
    sent = 0
    start = clock() + 10_000_000
    warm = start + int(warm_up_s * 1e9)
    end = warm + int(seconds * 1e9)
    told = False
    cpu = 0.0
    chunk = 0

    def drain() -> None:
        while True:
            try:
                recv_into(incoming)
            except BlockingIOError:
                return
            flow, at = unpack(incoming, 12)
            if warm <= at < end:
                (relayed if flow < flows else floor).append(clock() - at)

    while True:
        due = start + chunk * CHUNK_NS
        now = clock()
        if due >= warm and not told:
            told = True
            cpu = time.process_time()
            print("measuring", flush=True)
        if due >= end:
            break
        while now < due:
            if epoll.poll((due - now) / 1e9):
                drain()
            now = clock()
        if due >= warm:
            late.append(now - due)
        step = chunk // CHUNKS
        head = (0x8000, step & 0xFFFF, (step * 160) & 0xFFFFFFFF)
        for flow in chunks[chunk % CHUNKS]:
            now = clock()
            pack(packet, 0, *head, 1000 + flow, flow, now)
            sendto(packet, everybody[flow])
            if flow < flows and warm <= now < end:
                sent += 1
        chunk += 1
        drain()
    cpu = time.process_time() - cpu
    until = clock() + 200_000_000
    while clock() < until:
        if epoll.poll(0.02):
            drain()
    return {
        "sent": sent,
        "received": len(relayed),
        "relayed_ms": percentiles(relayed),
        "floor_ms": percentiles(floor),
        "generator_late_ms": percentiles(late),
        "generator_cpu": cpu / seconds,
    }


def main() -> None:
    """Work off standard input."""
    order = json.load(sys.stdin)
    targets = [(ip, port) for ip, port in order["targets"]]
    print(json.dumps(run(targets, order["port"], order["warm_up_s"], order["seconds"])), flush=True)


if __name__ == "__main__":
    main()
