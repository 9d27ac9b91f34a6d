"""`MediaPort` over the local sockets of the media workers: what the engine holds of them.

The client keeps what it wants of every worker. While a worker is away commands only change that; when it is back, all
is replayed to it before `MediaUp` is told: the same UDP ports, rooms, looping plays and recordings.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callcenter.config import Config
from callcenter.telephony import ports
from callcenter.telephony.media import protocol as p
from callcenter.telephony.media.dtmf import DIGITS
from callcenter.telephony.media.link import CommandRefused, Link, WorkerLost
from callcenter.telephony.media.rooms import Rooms
from callcenter.telephony.media.rtp import PAYLOAD_TYPES
from callcenter.telephony.ports import MediaAddress
from callcenter.wire import convert

log = logging.getLogger(__name__)
FIRST_ANSWER_S = 10.0
WORKER_BACK_S = 3.0


@dataclass
class _Port:
    """A port as it is wanted. `play_sent` tells whether the worker has heard of `play`."""

    link: Link
    address: MediaAddress
    create: p.CreatePort
    update: p.UpdatePort
    play: p.StartPlay | None = None
    play_sent: bool = False


@dataclass
class _Worker:
    """What is kept of a worker beside its link. `owed` are commands that a same worker must still get; `displaced`
    are plays (port, play) that ended while it was away."""

    link: Link
    epoch: str = ""
    reset_owed: bool = False
    owed: list[p.AnyCommand] = field(default_factory=list)
    displaced: list[tuple[str, str]] = field(default_factory=list)


class MediaClient:
    """See `callcenter.telephony.ports.MediaPort`. `where` is the settings or the workers' socket paths in order."""

    def __init__(self, where: Config | Sequence[Path]) -> None:
        if isinstance(where, Config):
            paths: Sequence[Path] = [where.media_socket(n) for n in range(where.media_workers)]
        else:
            paths = where
        self._workers = [
            _Worker(Link(n, path, self._came_up, self._went_down, self._told)) for n, path in enumerate(paths)
        ]
        self._ports: dict[str, _Port] = {}
        self._leaving: dict[str, int] = {}
        self._rooms = Rooms()
        self._recordings: dict[str, tuple[Link, p.StartRecording]] = {}
        self._on_event: Callable[[ports.MediaEvent], None] = lambda _: None

    async def start(self, on_event: Callable[[ports.MediaEvent], None]) -> None:
        """Connect to all workers; see MediaPort."""
        self._on_event = on_event
        for worker in self._workers:
            worker.link.start()
        answers = [asyncio.ensure_future(w.link.answered.wait()) for w in self._workers]
        if answers:
            _, waiting = await asyncio.wait(answers, timeout=FIRST_ANSWER_S)
            for answer in waiting:
                answer.cancel()

    async def stop(self) -> None:
        """Close the control connections; ports go on."""
        for worker in self._workers:
            await worker.link.stop()

    async def reset(self) -> None:
        """Delete all that is not ours; workers that are away get told when they are back."""
        for worker in self._workers:
            worker.reset_owed = True
            try:
                await worker.link.ask(self._reset_command(worker.link))
                worker.reset_owed = False
            except (WorkerLost, TimeoutError):
                log.warning("media worker %d is away; it is reset when it is back", worker.link.number)

    def _reset_command(self, link: Link) -> p.Reset:
        mine = [port_id for port_id, port in self._ports.items() if port.link is link]
        rooms = {room for port_id in mine if (room := self._rooms.room_of(port_id)) is not None}
        recordings = [rid for rid, (at, _) in self._recordings.items() if at is link]
        return p.Reset(ports=mine, rooms=sorted(rooms), recordings=recordings)

    # ---------------------------------------------------------------------------------------------------- ports

    async def create_port(
        self,
        port_id: str,
        *,
        near: str = "",
        codec: str = "pcmu",
        dtmf_pt: int | None = 101,
        silence_after_s: float = 20.0,
    ) -> MediaAddress:
        """Open a port; see MediaPort. Waits up to 3 s for a worker that is just restarting."""
        if codec not in PAYLOAD_TYPES:
            raise ValueError(f"codec {codec!r}: give 'pcmu' or 'pcma'")
        if port_id in self._ports:
            return self._ports[port_id].address
        create = p.CreatePort(port_id=port_id, codec=codec, dtmf_pt=dtmf_pt, silence_after_s=silence_after_s)
        deadline = time.monotonic() + WORKER_BACK_S
        while True:
            link = self._ports[near].link if near else self._least_loaded()
            try:
                await asyncio.wait_for(link.up.wait(), max(0.0, deadline - time.monotonic()))
                ip, udp_port = await link.ask(create)
                break
            except WorkerLost:
                continue
            except TimeoutError:
                raise RuntimeError(f"media worker {link.number} does not answer") from None
            except CommandRefused as error:
                raise RuntimeError(str(error)) from error
        create.n, create.udp_port = 0, udp_port
        port = _Port(link, MediaAddress(ip, udp_port), create, p.UpdatePort(port_id=port_id))
        self._ports[port_id] = port
        return port.address

    def _least_loaded(self) -> Link:
        load = {id(w.link): 0 for w in self._workers}
        for port in self._ports.values():
            load[id(port.link)] += 1
        return min((w.link for w in self._workers), key=lambda link: (not link.up.is_set(), load[id(link)]))

    async def take_up(self, port_id: str) -> MediaAddress:
        """Keep a dead engine's port, with the room that it is in and the recordings that it feeds."""
        if port_id in self._ports:
            return self._ports[port_id].address
        for worker in self._workers:
            try:
                answer = await worker.link.ask(p.TakeUp(port_id=port_id))
            except (WorkerLost, TimeoutError):
                continue
            if answer is not None:
                return self._adopt(worker.link, convert(answer, p.PortState))
        raise KeyError(port_id)

    def _adopt(self, link: Link, state: p.PortState) -> MediaAddress:
        create = p.CreatePort(
            port_id=state.port_id, codec=state.codec, dtmf_pt=state.dtmf_pt, silence_after_s=state.silence_after_s,
            udp_port=state.udp_port,
        )  # fmt: skip
        update = p.UpdatePort(port_id=state.port_id, remote=state.remote, sending=state.sending)
        address = MediaAddress(state.ip, state.udp_port)
        self._ports[state.port_id] = _Port(link, address, create, update, state.play, play_sent=True)
        if state.room_id and self._rooms.room_of(state.port_id) is None:
            self._rooms.set_room(state.room_id, state.hears)
        for recording in state.recordings:
            self._recordings.setdefault(recording.recording_id, (link, recording))
        return address

    def update_port(
        self,
        port_id: str,
        *,
        remote: MediaAddress | None = None,
        codec: str | None = None,
        dtmf_pt: int | None = None,
        sending: bool | None = None,
    ) -> None:
        """See MediaPort. `sending` not yet set: what room and plays give is sent, pauses are not filled. True: pauses
        are filled with silence. False: nothing is sent (the far end holds us)."""
        if codec is not None and codec not in PAYLOAD_TYPES:
            raise ValueError(f"codec {codec!r}: give 'pcmu' or 'pcma'")
        port = self._ports[port_id]
        wanted = port.update
        change = p.UpdatePort(
            port_id=port_id, remote=(remote.ip, remote.port) if remote else None, codec=codec, dtmf_pt=dtmf_pt,
            sending=sending,
        )  # fmt: skip
        wanted.remote = change.remote or wanted.remote
        wanted.codec = codec or wanted.codec
        wanted.dtmf_pt = wanted.dtmf_pt if dtmf_pt is None else dtmf_pt
        wanted.sending = wanted.sending if sending is None else sending
        port.link.send(change)

    def delete_port(self, port_id: str) -> None:
        """See MediaPort. Its last PlayEnded and PortStats still come."""
        port = self._ports.pop(port_id, None)
        if port is None:
            return
        self._rooms.remove(port_id)
        self._leaving[port_id] = port.link.number
        self._send_or_owe(port.link, p.DeletePort(port_id=port_id))

    # --------------------------------------------------------------------------------- rooms, plays and digits

    def set_room(self, room_id: str, hears: Mapping[str, tuple[str, ...]]) -> None:
        """See MediaPort. Raises KeyError on an unknown port, ValueError if the ports are on several workers."""
        members = set(hears).union(*hears.values()) if hears else set(self._rooms.matrix(room_id))
        links = {id(self._ports[m].link): self._ports[m].link for m in members if hears or m in self._ports}
        if len(links) > 1:
            raise ValueError(f"the ports of room {room_id} are on {len(links)} workers; create them `near` each other")
        matrix = {listener: tuple(sources) for listener, sources in hears.items()}
        self._rooms.set_room(room_id, matrix)
        for link in links.values():
            self._send_or_owe(link, p.SetRoom(room_id=room_id, hears=matrix), owe=not matrix)

    def play(self, port_id: str, play_id: str, source: str, *, loop: bool = False, mix: bool = False) -> None:
        """See MediaPort. A source that cannot be played ends at once with PlayEnded, complete=False."""
        port = self._ports[port_id]
        self._displace(port_id, port)
        port.play = p.StartPlay(port_id=port_id, play_id=play_id, source=source, loop=loop, mix=mix)
        port.play_sent = port.link.send(port.play)

    def stop_play(self, port_id: str) -> None:
        """See MediaPort."""
        port = self._ports[port_id]
        self._displace(port_id, port)
        port.play = None
        port.link.send(p.StopPlay(port_id=port_id))

    def _displace(self, port_id: str, port: _Port) -> None:
        """What a worker that is away cannot tell of the play that ends here, the client tells."""
        if port.play is None or port.link.connected:
            return
        if port.play_sent:
            self._workers[port.link.number].displaced.append((port_id, port.play.play_id))
        else:
            ended = ports.PlayEnded(time.time(), port_id, port.play.play_id, complete=False)
            asyncio.get_running_loop().call_soon(self._on_event, ended)

    def send_dtmf(self, port_id: str, digits: str) -> None:
        """See MediaPort. Raises ValueError on other digits. To a port without `dtmf_pt` they go as tones."""
        if any(d not in DIGITS for d in digits.upper()):
            raise ValueError("give DTMF digits: 0-9 * # A-D")
        self._send_or_owe(self._ports[port_id].link, p.SendDtmf(port_id=port_id, digits=digits))

    # ----------------------------------------------------------------------------------------------- recordings

    def start_recording(self, recording_id: str, path: str, left_port: str, right_port: str) -> None:
        """See MediaPort. Raises KeyError if neither port is known."""
        port = self._ports.get(left_port) or self._ports[right_port]
        command = p.StartRecording(recording_id=recording_id, path=path, left_port=left_port, right_port=right_port)
        self._recordings[recording_id] = (port.link, command)
        port.link.send(command)

    def pause_recording(self, recording_id: str, paused: bool) -> None:
        """See MediaPort."""
        link, wanted = self._recordings[recording_id]
        wanted.paused = paused
        link.send(p.PauseRecording(recording_id=recording_id, paused=paused))

    def retarget_recording(self, recording_id: str, left_port: str, right_port: str) -> None:
        """See MediaPort."""
        link, wanted = self._recordings[recording_id]
        wanted.left_port, wanted.right_port = left_port, right_port
        link.send(p.RetargetRecording(recording_id=recording_id, left_port=left_port, right_port=right_port))

    def stop_recording(self, recording_id: str) -> None:
        """See MediaPort."""
        link, wanted = self._recordings.pop(recording_id)
        self._send_or_owe(link, p.StopRecording(recording_id=recording_id, path=wanted.path))

    def _send_or_owe(self, link: Link, command: p.AnyCommand, owe: bool = True) -> None:
        if not link.send(command) and owe:
            self._workers[link.number].owed.append(command)

    # ------------------------------------------------------------------------------------------- up, down, told

    async def _came_up(self, link: Link, hello: p.Hello) -> None:
        worker = self._workers[link.number]
        restarted = worker.epoch not in ("", hello.epoch)
        if worker.reset_owed:
            link.send(self._reset_command(link))
            worker.reset_owed = False
        creations = self._replay(link, restarted)
        owed, worker.owed = worker.owed, []
        for command in owed:
            link.send(command)
        displaced, worker.displaced = worker.displaced, []
        worker.epoch = hello.epoch
        answers = await asyncio.wait_for(
            asyncio.gather(*creations, link.asking(p.Ready()), return_exceptions=True), FIRST_ANSWER_S
        )
        for answer in answers:
            if isinstance(answer, CommandRefused):
                log.error("media worker %d could not take up a port: %s", link.number, answer)
            elif isinstance(answer, BaseException):
                raise answer
        now = time.time()
        if restarted:
            for port_id, play_id in displaced:
                self._on_event(ports.PlayEnded(now, port_id, play_id, complete=False))
            for port_id in [i for i, number in self._leaving.items() if number == link.number]:
                del self._leaving[port_id]
        self._on_event(ports.MediaUp(now, link.number, hello.epoch, restarted))

    def _replay(self, link: Link, restarted: bool) -> list[asyncio.Future[Any]]:
        """Send all that is wanted of the worker, in one go. To a worker that lived on it changes nothing but what was
        missed. Returns the replies to the creations."""
        mine = {port_id: port for port_id, port in self._ports.items() if port.link is link}
        creations = []
        for port in mine.values():
            creations.append(link.asking(port.create))
            link.send(port.update)
        for room_id in {self._rooms.room_of(port_id) for port_id in mine} - {None}:
            assert room_id is not None
            link.send(p.SetRoom(room_id=room_id, hears=self._rooms.matrix(room_id)))
        for at, recording in self._recordings.values():
            if at is link:
                link.send(recording)
        for port_id, port in mine.items():
            if port.play is None:
                continue
            if port.play_sent and restarted and not port.play.loop:
                self._workers[link.number].displaced.append((port_id, port.play.play_id))
                port.play = None
            elif restarted or not port.play_sent:
                port.play_sent = link.send(port.play)
        for port_id, _ in self._workers[link.number].displaced:
            wanted = mine.get(port_id)
            if not restarted and wanted is not None and wanted.play is None:
                link.send(p.StopPlay(port_id=port_id))
        return creations

    def _went_down(self, link: Link) -> None:
        self._on_event(ports.MediaDown(time.time(), link.number))

    def _told(self, link: Link, name: str, data: Any) -> None:
        kind = p.EVENTS.get(name)
        if kind is None:
            raise ValueError(f"no such event: {name}")
        event: ports.MediaEvent = convert(data, kind)
        port_id = getattr(event, "port_id", None)
        if port_id is not None and port_id not in self._ports:
            if port_id not in self._leaving:
                return  # of an engine before us
            if isinstance(event, ports.PortStats):
                del self._leaving[port_id]
        if isinstance(event, ports.PlayEnded):
            port = self._ports.get(event.port_id)
            if port is not None and port.play is not None and port.play.play_id == event.play_id:
                port.play = None
        self._on_event(event)
