"""The RTCP side of a port: reports to the far end every 5 s, what it reports back, and the figures for the engine."""

from __future__ import annotations

from callcenter.telephony.media import quality, rtcp
from callcenter.telephony.media.port import MediaLeg
from callcenter.telephony.ports import PortStats

REPORT_EVERY_S = 5.0


class Reporter:
    """Of one port. `now_s` is seconds since the epoch."""

    def __init__(self, cname: str) -> None:
        self._cname = cname
        self._their_report = 0  # middle bits of the NTP time of their last sender report
        self._their_report_at_s = 0.0
        self._expected_before = 0
        self._received_before = 0
        self._sent_before = 0
        self.remote_loss: float | None = None
        self.round_trip_ms: float | None = None

    def take(self, port: MediaLeg, data: bytes, now_s: float) -> None:
        """Learn from a compound packet of the far end."""
        reports, _ = rtcp.parse(data)
        for report in reports:
            if report.ntp is not None:
                self._their_report, self._their_report_at_s = rtcp.middle(report.ntp), now_s
            for block in report.blocks:
                if block.ssrc != port.ssrc:
                    continue
                self.remote_loss = block.fraction_lost / 256
                round_trip = rtcp.round_trip_ms(block, rtcp.ntp_time(now_s))
                if round_trip is not None:
                    self.round_trip_ms = round(round_trip, 1)

    def build(self, port: MediaLeg, now_s: float, now: int, bye: bool = False) -> bytes:
        """The compound packet of this moment: a sender report if anything was sent since the last one."""
        blocks: tuple[rtcp.ReportBlock, ...] = ()
        rx = port.rx
        if rx.begun:
            expected, received = rx.received + rx.lost, rx.received
            due = expected - self._expected_before
            missing = due - (received - self._received_before)
            self._expected_before, self._received_before = expected, received
            delay = int((now_s - self._their_report_at_s) * 65536) & 0xFFFFFFFF if self._their_report else 0
            fraction = 256 * missing // due if due > 0 and missing > 0 else 0
            blocks = (
                rtcp.ReportBlock(
                    rx.ssrc, fraction, rx.lost, rx.highest, int(rx.jitter), self._their_report, delay
                ),
            )  # fmt: skip
        port.settle()
        if port.sent == self._sent_before:
            return rtcp.build(rtcp.Report(port.ssrc, blocks), self._cname, bye)
        self._sent_before = port.sent
        stamp = (port.timestamp + now - port.sent_at) & 0xFFFFFFFF
        report = rtcp.Report(port.ssrc, blocks, rtcp.ntp_time(now_s), stamp, port.sent, port.octets)
        return rtcp.build(report, self._cname, bye)

    def stats(self, port: MediaLeg, now_s: float) -> PortStats:
        """The port's figures since its creation."""
        rx = port.rx
        expected = rx.received + rx.lost
        loss = rx.lost / expected if expected else 0.0
        return PortStats(
            at=now_s,
            port_id=port.port_id,
            received=rx.received,
            lost=rx.lost,
            jitter_ms=round(rx.jitter_ms, 2),
            late=port.mixin.late if port.mixin is not None else 0,
            remote_loss=self.remote_loss,
            round_trip_ms=self.round_trip_ms,
            mos=quality.mos(loss, rx.jitter_ms, self.round_trip_ms),
        )
