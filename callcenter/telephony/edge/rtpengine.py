"""An rtpengine as browser edge: `RtpengineEdge` behind `ports.EdgePort`.

A session is one call in rtpengine: its tag "browser" faces the browser, its tag "media" the media process. rtpengine
tells nothing by itself, so the sessions are asked for once a second and their counters give the state.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from callcenter.clock import wall_s
from callcenter.errors import InvalidInput, Unavailable
from callcenter.telephony.edge.liveness import STATS_EVERY_S, next_state
from callcenter.telephony.edge.ng import NgClient, NgError
from callcenter.telephony.edge.sdp import (
    BrowserOffer,
    build_answer,
    parse_local_side,
    parse_offer,
    plain_address,
    plain_description,
)
from callcenter.telephony.ports import EdgeEvent, EdgeState, MediaAddress

log = logging.getLogger(__name__)
OPEN_TIMEOUT_S = 5.0
POLL_S = 1.0
POLL_CONNECTING_S = 0.1
BROWSER, MEDIA = "browser", "media"
_REPLACE = ["origin", "session-connection"]


@dataclass
class _Session:
    state: EdgeState = EdgeState.CONNECTING
    since_s: float = field(default_factory=time.monotonic)
    packets: int = 0
    heard_s: float = field(default_factory=time.monotonic)
    stats_at_s: float = 0.0
    look_at_s: float = 0.0


def browser_packets(answer: Mapping[str, Any]) -> int:
    """Packets that came from the browser, out of the answer to `query`."""
    medias = answer.get("tags", {}).get(BROWSER, {}).get("medias", [])
    return sum(int(s["stats"]["packets"]) for m in medias for s in m.get("streams", [])[:1])


def figures(answer: Mapping[str, Any]) -> dict[str, float]:
    """EdgeEvent.stats out of the answer to `query`: what rtpengine learnt from RTCP of the newest source."""
    found: dict[str, float] = {"received": float(browser_packets(answer))}
    for ssrc in answer.get("SSRC", {}).values():
        average = ssrc.get("average MOS", {})
        if "packet loss" in average:
            found["loss"] = float(average["packet loss"]) / 100
        if "jitter" in average:
            found["jitter_ms"] = float(average["jitter"])
        if "round-trip time" in average:
            found["round_trip_ms"] = float(average["round-trip time"]) / 1000
    return found


class RtpengineEdge:
    """EdgePort over rtpengine's ng protocol at (`ng_host`, `ng_port`)."""

    def __init__(self, ng_host: str, ng_port: int) -> None:
        self._ng = NgClient(ng_host, ng_port)
        self._sessions: dict[str, _Session] = {}
        self._on_event: Callable[[EdgeEvent], None] = lambda event: None
        self._task: asyncio.Task[None] | None = None
        self._deletes: set[asyncio.Task[None]] = set()

    async def start(self, on_event: Callable[[EdgeEvent], None]) -> None:
        """As EdgePort.start. rtpengine need not be there yet."""
        self._on_event = on_event
        await self._ng.start()
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Close all sessions of this client."""
        for session_id in list(self._sessions):
            self.close(session_id)
        if self._deletes:
            await asyncio.wait(self._deletes, timeout=2.0)
        await self.detach()

    async def detach(self) -> None:
        """Leave without closing the sessions."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._sessions.clear()
        self._ng.close()

    async def open(self, session_id: str, offer_sdp: str, rtp_target: MediaAddress) -> tuple[str, MediaAddress]:
        """As EdgePort.open."""
        offer = parse_offer(offer_sdp)
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                answer, address = await self._negotiate(session_id, offer, offer_sdp, rtp_target)
        except TimeoutError:
            raise Unavailable(f"rtpengine did not answer within {OPEN_TIMEOUT_S:.0f} s.") from None
        except (NgError, InvalidInput) as exc:
            raise Unavailable(f"rtpengine refused the session: {exc}") from exc
        session = self._sessions.setdefault(session_id, _Session())
        session.heard_s = time.monotonic()
        session.look_at_s = 0.0
        self._enter(session_id, session, EdgeState.CONNECTING, "", {})
        return answer, address

    async def _negotiate(
        self, session_id: str, offer: BrowserOffer, offer_sdp: str, target: MediaAddress
    ) -> tuple[str, MediaAddress]:
        # With the tag of the media side named, a call that exists keeps its plain RTP ports.
        known = {"to_tag": MEDIA} if session_id in self._sessions else {}
        plain = await self._ng.request(
            "offer", OPEN_TIMEOUT_S, call_id=session_id, from_tag=BROWSER, **known, sdp=offer_sdp, ICE="remove",
            transport_protocol="RTP/AVP", rtcp_mux=["demux"], replace=_REPLACE, flags=["strip-extmap", "port-latching"],
            codec={"strip": ["all"], "offer": ["PCMU"]},
        )  # fmt: skip
        secure = await self._ng.request(
            "answer", OPEN_TIMEOUT_S, call_id=session_id, from_tag=BROWSER, to_tag=MEDIA,
            sdp=plain_description(target.ip, target.port), ICE="force", transport_protocol="UDP/TLS/RTP/SAVPF",
            rtcp_mux=["require"], replace=_REPLACE,
        )  # fmt: skip
        ip, port = plain_address(str(plain["sdp"]))
        # rtpengine's own answer lacks the BUNDLE group without which Chromium refuses it.
        return build_answer(offer, parse_local_side(str(secure["sdp"]))), MediaAddress(ip, port)

    def close(self, session_id: str) -> None:
        """As EdgePort.close. No event follows."""
        if self._sessions.pop(session_id, None) is not None:
            task = asyncio.create_task(self._delete(session_id))
            self._deletes.add(task)
            task.add_done_callback(self._deletes.discard)

    async def _delete(self, session_id: str) -> None:
        try:
            await self._ng.request("delete", 2.0, call_id=session_id, delete_delay=0)
        except (NgError, Unavailable) as exc:
            log.info("session %s not deleted in rtpengine: %s", session_id, exc)

    async def take_up(self, session_id: str) -> MediaAddress:
        """The plain RTP address of a session that a dead engine opened; from now on its events are told here.
        KeyError if it is gone, Unavailable without rtpengine."""
        try:
            answer = await self._ng.request("query", OPEN_TIMEOUT_S, call_id=session_id)
            stream = answer["tags"][MEDIA]["medias"][0]["streams"][0]
        except (NgError, IndexError):
            raise KeyError(session_id) from None
        self._sessions.setdefault(session_id, _Session())
        return MediaAddress(str(stream["local address"]), int(stream["local port"]))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(POLL_CONNECTING_S)
            now_s = time.monotonic()
            due = [(i, s) for i, s in self._sessions.items() if s.look_at_s <= now_s]
            for _, session in due:
                pause_s = POLL_CONNECTING_S if session.state is EdgeState.CONNECTING else POLL_S
                session.look_at_s = now_s + pause_s
            await asyncio.gather(*(self._look(i, s) for i, s in due))

    async def _look(self, session_id: str, session: _Session) -> None:
        try:
            answer = await self._ng.request("query", 2.0, call_id=session_id)
        except NgError:
            if self._sessions.get(session_id) is session:
                self._enter(session_id, session, EdgeState.CLOSED, "rtpengine no longer knows the session", {})
            return
        except Unavailable:
            answer = {}
        if self._sessions.get(session_id) is not session:
            return
        now_s = time.monotonic()
        packets = browser_packets(answer)
        if packets > session.packets:
            session.heard_s = now_s
        session.packets = max(packets, session.packets)
        usable = session.heard_s > session.since_s  # heard since it was offered or interrupted
        state = next_state(session.state, now_s - session.heard_s, now_s - session.since_s, usable)
        if state is not session.state:
            detail = {EdgeState.INTERRUPTED: "nothing heard from the browser", EdgeState.CLOSED: "not connected"}
            self._enter(session_id, session, state, detail.get(state, ""), figures(answer))
            if state is EdgeState.CLOSED:
                await self._delete(session_id)
        elif state is EdgeState.CONNECTED and now_s - session.stats_at_s >= STATS_EVERY_S:
            session.stats_at_s = now_s
            self._tell(EdgeEvent(wall_s(), session_id, state, "", figures(answer)))

    def _enter(
        self, session_id: str, session: _Session, state: EdgeState, detail: str, stats: Mapping[str, float]
    ) -> None:
        session.state, session.since_s = state, time.monotonic()
        if state is EdgeState.CLOSED:
            self._sessions.pop(session_id, None)
        self._tell(EdgeEvent(wall_s(), session_id, state, detail, stats))

    def _tell(self, event: EdgeEvent) -> None:
        try:
            self._on_event(event)
        except Exception:
            log.exception("the receiver of edge events failed on session %s", event.session_id)
