"""A browser's part played in Python, for load: offers PCMU, does ICE, DTLS and SRTP, encodes and decodes nothing."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from aiortc import RTCIceCandidate

from callcenter.telephony.edge.aiortc_transport import BrowserTransport
from callcenter.telephony.edge.sdp import parse_local_side


class WebrtcPeer:
    """One side of a session. `on_rtp` gets decrypted packets; `connected` is set when audio can flow."""

    def __init__(self, on_rtp: Callable[[bytes], None]) -> None:
        self.connected = asyncio.Event()
        self.ended = asyncio.Event()
        self._transport = BrowserTransport(on_rtp, lambda packet: None, self._state, addresses=("127.0.0.1",))

    def _state(self, state: str, detail: str) -> None:
        (self.connected if state == "connected" else self.ended).set()

    async def call(self, exchange: Callable[[str], Awaitable[str]], timeout_s: float = 10.0) -> None:
        """Offer by `exchange` (offer in, answer out) and connect. Raises TimeoutError."""
        ufrag, pwd, digests, candidates = await self._transport.gather()
        lines = [
            "v=0", f"o=- {secrets.randbits(60)} 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0",
            f"m=audio {candidates[0].port} UDP/TLS/RTP/SAVPF 0", "c=IN IP4 127.0.0.1", "a=mid:0", "a=sendrecv",
            "a=rtcp-mux", "a=rtpmap:0 PCMU/8000", f"a=ice-ufrag:{ufrag}", f"a=ice-pwd:{pwd}", "a=setup:actpass",
            *(f"a=fingerprint:{a} {d}" for a, d in digests),
            *(f"a=candidate:{c.foundation} 1 udp {c.priority} {c.ip} {c.port} typ host" for c in candidates),
            "a=end-of-candidates", "",
        ]  # fmt: skip
        far = parse_local_side(await exchange("\r\n".join(lines)))
        # Who offers leads ICE and looks for the other, as a browser does.
        self._transport._connection.ice_controlling = True
        self._transport._connection._tie_breaker = 2**64 - 1  # rtpengine claims to lead too and must give way
        for c in far.candidates:
            if ":" not in c.ip:
                await self._transport._ice.addRemoteCandidate(
                    RTCIceCandidate(1, c.foundation, c.ip, c.port, c.priority, "udp", "host")
                )
        self._transport.connect(far.ice_ufrag, far.ice_pwd, far.fingerprints, dtls_server=far.setup == "active")
        await asyncio.wait_for(self.connected.wait(), timeout_s)

    def send(self, packet: bytes) -> None:
        """Encrypt and send one RTP packet."""
        self._transport.send_rtp(packet)

    async def close(self) -> None:
        """End the connection."""
        await self._transport.close()
