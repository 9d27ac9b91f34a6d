"""Which edge the settings ask for."""

from __future__ import annotations

from callcenter.config import Config
from callcenter.telephony.edge.client import AiortcEdge
from callcenter.telephony.edge.rtpengine import RtpengineEdge
from callcenter.telephony.ports import EdgePort


def edge_of(settings: Config) -> EdgePort:
    """The edge of `EDGE`: our own process ("aiortc") or the rtpengine at `RTPENGINE_NG` ("host:port", IPv6 in
    brackets). Raises ValueError naming the setting if that is no address."""
    if settings.edge == "aiortc":
        return AiortcEdge(settings.edge_socket)
    host, _, port = settings.rtpengine_ng.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"RTPENGINE_NG={settings.rtpengine_ng!r}: give host:port")
    return RtpengineEdge(host.strip("[]"), int(port))
