"""A stand-in for the browser edge: agents' audio without browsers. `python -m benchmarks.stand_in_edge`.

It speaks the edge's control protocol (`callcenter/telephony/edge/control.py`) on the same socket. Each session that is
opened counts as connected at once and sends a constant tone in 20 ms packets to its media port, as the real edge relays
a browser's voice. What comes back is read only if STAND_IN_HEARD names a file: there it says in the end, for each
session, when a callee's voice began in it (seconds since the epoch, the kernel's receive times). Everything else of the
installation is the real thing. A hundred real WebRTC peers would need more of this machine than all that is measured;
`benchmarks.edge` measures the real edge.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.answering_carrier import RTP_HEADER_BYTES, SO_TIMESTAMPNS, receive_stamped
from benchmarks.tones import AGENT, CALLEE, Stream, Streams, socket_on_loopback
from callcenter import config, wire
from callcenter.clock import wall_s
from callcenter.ids import new_id
from callcenter.telephony.edge.control import Message, Reply, Request, SessionInfo
from callcenter.telephony.ports import EdgeEvent, EdgeState, MediaAddress

UNREAD_BYTES = 4096
PAUSE_S = 0.3  # without the voice; then it begins anew


@dataclass
class Session:
    """One agent's audio."""

    info: SessionInfo
    stream: Stream


class StandInEdge:
    """The control socket and the sessions."""

    def __init__(self) -> None:
        self.epoch = new_id()
        self.sessions: dict[str, Session] = {}
        self.streams = Streams()
        self.streams.start()
        self.heard: dict[str, list[float]] = {}
        self._last: dict[str, float] = {}
        self._listens = bool(os.environ.get("STAND_IN_HEARD"))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One engine."""
        writer.write(wire.frame(Message(hello=self.epoch, sessions=self._list())))
        try:
            while True:
                request = wire.convert(await wire.read_frame(reader), Request)
                if request.op == "open" and request.target is not None:
                    address = self._open(request.session_id, request.target)
                    answer = Reply(request.number, answer="v=0\r\n", address=address)
                    writer.write(wire.frame(Message(reply=answer)))
                    event = EdgeEvent(wall_s(), request.session_id, EdgeState.CONNECTED, "", {})
                    writer.write(wire.frame(Message(event=event)))
                elif request.op == "close":
                    self._close(request.session_id)
                elif request.op == "list":
                    writer.write(wire.frame(Message(reply=Reply(request.number, sessions=self._list()))))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _open(self, session_id: str, target: MediaAddress) -> MediaAddress:
        self._close(session_id)
        sock = socket_on_loopback(UNREAD_BYTES)
        stream = Stream(sock, AGENT, (target.ip, target.port))
        address = MediaAddress(*sock.getsockname())
        self.sessions[session_id] = Session(SessionInfo(session_id, EdgeState.CONNECTED, address, target), stream)
        self.streams.add(stream)
        if self._listens:
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            asyncio.get_running_loop().add_reader(sock, self._hear, session_id, sock)
        return address

    def _hear(self, session_id: str, sock: socket.socket) -> None:
        try:
            data, at = receive_stamped(sock)
        except (BlockingIOError, ConnectionError):
            return
        if data[RTP_HEADER_BYTES:] == CALLEE:
            if at - self._last.get(session_id, 0.0) > PAUSE_S:
                self.heard.setdefault(session_id, []).append(at)
            self._last[session_id] = at

    def tell(self) -> None:
        """Write what was heard, if it is wanted."""
        if self._listens:
            Path(os.environ["STAND_IN_HEARD"]).write_text(json.dumps(self.heard))

    def _close(self, session_id: str) -> None:
        session = self.sessions.pop(session_id, None)
        if session is not None:
            self.streams.remove(session.stream)
            if self._listens:
                asyncio.get_running_loop().remove_reader(session.stream.sock)
            session.stream.sock.close()

    def _list(self) -> tuple[SessionInfo, ...]:
        return tuple(s.info for s in self.sessions.values())


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    edge = StandInEdge()
    path = config.load().edge_socket
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(edge.serve, str(path))
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    server.close()
    edge.tell()


if __name__ == "__main__":
    uvloop.run(main())
