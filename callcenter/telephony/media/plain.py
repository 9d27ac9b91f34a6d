"""The hot path: the plain next packets of known streams, 20 ms long, of all ports that are readable at a time.

50 packets a second and leg pass through here. A plain packet is recorded and relayed with its header rewritten in place
in the buffer that it came in; all else goes to `MediaLeg.unusual`. Times are samples of the process's clock.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from operator import call

from callcenter.telephony.media import g711, rtp
from callcenter.telephony.media.g711 import FRAME_SAMPLES
from callcenter.telephony.media.outgoing import Feed
from callcenter.telephony.media.port import MediaLeg
from callcenter.telephony.media.reception import EARLY_SAMPLES, NEXT, PUNCTUAL_SAMPLES, Order
from callcenter.telephony.media.recording import CAPACITY_SAMPLES

log = logging.getLogger(__name__)
MOST = 256  # packets that are taken before the first of them is sent on
_USUAL_BYTES = rtp.HEADER_BYTES + FRAME_SAMPLES
_BUFFERS = [bytearray(2048) for _ in range(MOST)]
_PACKETS = [memoryview(buffer)[:_USUAL_BYTES] for buffer in _BUFFERS]
_sink: deque[object] = deque(maxlen=0)
_SOUND = slice(rtp.HEADER_BYTES, _USUAL_BYTES)
# All of the header but the SSRC as one number: it grows by NEXT from packet to packet. Of what the kernel took for the
# source's, with the very number and timestamp that were expected, the SSRC proves nothing more.
_unpack = struct.Struct("!Q").unpack_from
_pack = struct.Struct("!QI").pack_into
_PCMU_BELOW = (rtp.VERSION_WORD + 1) << 48
_EARLIEST = -EARLY_SAMPLES
_ROOM = CAPACITY_SAMPLES - FRAME_SAMPLES + 1


def receive_each(ports: Sequence[MediaLeg], now: int) -> None:
    """Take one packet from the connected socket of each of `ports`.

    First all are taken, then all are looked at, then all are sent: the system calls run in loops of the interpreter's
    own C code. After each of them Python's code would begin with cold caches and branch predictors; so it begins once.
    """
    for start in range(0, len(ports), MOST):
        _receive_some(ports[start : start + MOST] if len(ports) > MOST else ports, now)


def _receive_some(ports: Sequence[MediaLeg], now: int) -> None:
    sizes: list[int] = []
    taking = map(socket.socket.recv_into, [port.rtp_socket for port in ports], _BUFFERS)
    while True:
        try:
            sizes.extend(taking)
            break
        except OSError:
            sizes.append(-1)  # nothing there, or the far end refused what was sent to it
    sends: list[Callable[[memoryview], object]] = []
    packets: list[memoryview] = []
    for port, size, buffer, packet in zip(ports, sizes, _BUFFERS, _PACKETS, strict=False):
        try:
            (first,) = _unpack(buffer)
            rx = port.rx
            if first != rx.expected or size != _USUAL_BYTES:
                if size >= 0:
                    port.unusual(bytes(buffer[:size]), now)
                continue
            rx.expected = first + NEXT
            place = rx.anchor + (first & 0xFFFFFFFF)
            late = now - place
            change = late - rx.late
            if change:
                rx.late = late
                rx.jitter += ((change if change > 0 else -change) - rx.jitter) * 0.0625
            else:
                rx.jitter *= 0.9375
            if not _EARLIEST <= late <= PUNCTUAL_SAMPLES:
                rx.settle()
                place = rx.anchor + (first & 0xFFFFFFFF)
            elif rx.behind:
                rx.behind = 0
            port.heard_at = now
            tap = port.tap
            if tap is not None:
                at = place - tap.base
                if 0 <= at < _ROOM and tap.next is None and first < _PCMU_BELOW:
                    tap.buffer[at : at + FRAME_SAMPLES] = buffer[_SOUND]
                else:
                    port.record(place, _sound(first, buffer))
            if port.mixin is not None:
                port.mixin.put(first & 0xFFFFFFFF, _sound(first, buffer))
            feed = port.feed
            if feed is None:
                continue
            if first < feed.limit and feed.next is None:
                _pack(buffer, 0, first + feed.add, feed.ssrc)
                sends.append(feed.send)
                packets.append(packet)
            else:
                _relay_to_all(feed, first, buffer, now)
        except Exception:
            log.exception("handling a packet of port %s failed", port.port_id)
    sending = map(call, sends, packets)
    while True:
        try:
            _sink.extend(sending)
            return
        except OSError:
            pass  # the far end's network; RTCP and silence tell the engine


def _sound(first: int, buffer: bytearray) -> bytearray:
    """The plain packet's audio in µ-law."""
    sound = buffer[_SOUND]
    return sound if first < _PCMU_BELOW else sound.translate(g711.ALAW_TO_ULAW)


def _relay_to_all(feed: Feed | None, first: int, buffer: bytearray, now: int) -> None:
    """To each listener at once: there are several, or one whose feed is not armed. `first`: the first eight bytes."""
    while feed is not None:
        if first < feed.limit:
            _pack(buffer, 0, first + feed.add, feed.ssrc)
            try:
                feed.send(memoryview(buffer)[:_USUAL_BYTES])
            except OSError:
                pass  # the far end's network; RTCP and silence tell the engine
        else:
            sequence, timestamp = (first >> 32) & 0xFFFF, first & 0xFFFFFFFF
            pt = first >> 48 & 0x7F
            feed.dest.disarm(ahead=1)
            feed.dest.relay(feed, Order.NEXT, pt, False, sequence, timestamp, bytes(buffer[_SOUND]), now)
        feed = feed.next
