"""RTCP between the edge and one browser: what we report, and what its reports say.

Pure. `now_s` is monotonic, `wall_s` seconds since the epoch. The packets' layout comes from aiortc's own classes.
Source: RFC 3550 section 6.
"""

from __future__ import annotations

from aiortc.rtp import (
    RtcpPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
)

from callcenter.telephony.edge.rtp import CLOCK_HZ, Stream

INTERVAL_S = 2.5
_EPOCH_1900_S = 2_208_988_800


def ntp(wall_s: float) -> int:
    """`wall_s` as a 64-bit NTP timestamp."""
    whole = int(wall_s)
    return (whole + _EPOCH_1900_S & 0xFFFFFFFF) << 32 | int((wall_s - whole) * (1 << 32))


class Reports:
    """The RTCP of one connection. `inbound` is the browser's stream, `outbound` ours to it.

    What the browser told of our audio: `remote_loss` (fraction in its last interval), `remote_jitter_ms`,
    `round_trip_ms`; each None until it told.
    """

    def __init__(self, inbound: Stream, outbound: Stream, cname: str) -> None:
        self.inbound = inbound
        self.outbound = outbound
        self.cname = cname
        self.remote_loss: float | None = None
        self.remote_jitter_ms: float | None = None
        self.round_trip_ms: float | None = None
        self.loss: float | None = None
        self._last_sr = 0
        self._last_sr_at_s = 0.0

    def build(self, now_s: float, wall_s: float) -> bytes:
        """A compound packet: our sender report (receiver report before we sent anything) with a block on the
        browser's stream, and our CNAME. Closes the interval over which `loss` is measured."""
        blocks = []
        if self.inbound.source is not None:
            self.loss = self.inbound.fraction_lost()
            since = now_s - self._last_sr_at_s
            blocks.append(
                RtcpReceiverInfo(
                    ssrc=self.inbound.source,
                    fraction_lost=min(255, int(self.loss * 256)),
                    packets_lost=min(self.inbound.lost, 0x7FFFFF),
                    highest_sequence=self.inbound.highest & 0xFFFFFFFF,
                    jitter=int(self.inbound.jitter_ticks),
                    lsr=self._last_sr,
                    dlsr=int(since * 65536) if self._last_sr and since < 65536 else 0,
                )
            )
        report: RtcpSrPacket | RtcpRrPacket
        if self.outbound.sent:
            info = RtcpSenderInfo(
                ntp_timestamp=ntp(wall_s),
                rtp_timestamp=self.outbound.timestamp_at(now_s),
                packet_count=self.outbound.sent & 0xFFFFFFFF,
                octet_count=self.outbound.sent_octets & 0xFFFFFFFF,
            )
            report = RtcpSrPacket(ssrc=self.outbound.ssrc, sender_info=info, reports=blocks)
        else:
            report = RtcpRrPacket(ssrc=self.outbound.ssrc, reports=blocks)
        name = RtcpSdesPacket(chunks=[RtcpSourceInfo(ssrc=self.outbound.ssrc, items=[(1, self.cname.encode())])])
        return bytes(report) + bytes(name)

    def receive(self, data: bytes, now_s: float, wall_s: float) -> None:
        """Take in a compound packet of the browser. A malformed one is ignored."""
        try:
            packets = RtcpPacket.parse(data)
        except ValueError:
            return
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                self._last_sr = packet.sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF
                self._last_sr_at_s = now_s
            if isinstance(packet, RtcpSrPacket | RtcpRrPacket):
                for block in packet.reports:
                    if block.ssrc == self.outbound.ssrc:
                        self._take(block, wall_s)

    def _take(self, block: RtcpReceiverInfo, wall_s: float) -> None:
        self.remote_loss = block.fraction_lost / 256
        self.remote_jitter_ms = block.jitter * 1000 / CLOCK_HZ
        if block.lsr:
            ticks = (ntp(wall_s) >> 16 & 0xFFFFFFFF) - block.lsr - block.dlsr & 0xFFFFFFFF
            if ticks < 60 << 16:
                self.round_trip_ms = ticks * 1000 / 65536

    def figures(self) -> dict[str, float]:
        """What is known, for EdgeEvent.stats: `loss`, `jitter_ms` (browser to us), `remote_loss`, `remote_jitter_ms`
        (us to browser), `round_trip_ms`, `received`, `lost`, `sent` (packets)."""
        values: dict[str, float | None] = {
            "loss": self.loss,
            "jitter_ms": self.inbound.jitter_ms if self.inbound.received else None,
            "remote_loss": self.remote_loss,
            "remote_jitter_ms": self.remote_jitter_ms,
            "round_trip_ms": self.round_trip_ms,
            "received": float(self.inbound.received),
            "lost": float(self.inbound.lost),
            "sent": float(self.outbound.sent),
        }
        return {k: v for k, v in values.items() if v is not None}
