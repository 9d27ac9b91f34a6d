"""A media worker: its ports, rooms, plays and recordings, and what each command does to them.

The shell around the pure pieces: `plain.py` holds the hot path, `clock.py` the 20 ms clock, `tape.py` the recordings,
`control.py` the socket that commands come from. One instance a process, in one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Any

from callcenter.telephony import ports
from callcenter.telephony.media import dtmf, prompts
from callcenter.telephony.media import protocol as p
from callcenter.telephony.media.clock import Clock
from callcenter.telephony.media.disk import Closed, DiskThread
from callcenter.telephony.media.g711 import FRAME_SAMPLES, SAMPLE_RATE
from callcenter.telephony.media.jitter import JitterBuffer
from callcenter.telephony.media.library import Library
from callcenter.telephony.media.outgoing import Feed, Outgoing
from callcenter.telephony.media.plain import receive_each
from callcenter.telephony.media.poller import Poller, now_samples
from callcenter.telephony.media.port import MediaLeg, PortOwner
from callcenter.telephony.media.reporting import REPORT_EVERY_S, Reporter
from callcenter.telephony.media.rooms import Rooms
from callcenter.telephony.media.sockets import PortRange
from callcenter.telephony.media.tape import Tapes

log = logging.getLogger(__name__)
TICK_S = FRAME_SAMPLES / SAMPLE_RATE
MAX_TICKS_BEHIND = 10
LOOK_AFTER_TICKS = 15  # every port is looked after each 0.3 s
STALE_SAMPLES = 1600  # a port whose source sent nothing for 200 ms is filled with silence
REPORT_ROUNDS = int(REPORT_EVERY_S / (LOOK_AFTER_TICKS * TICK_S))


class Leg(MediaLeg):
    """A port with what only the worker needs of it."""

    __slots__ = (
        "fed_by", "loading", "looping", "mixed_by", "mixes", "quiet_told", "reported_at", "reporter", "rounds", "slot",
    )  # fmt: skip

    def __init__(self, owner: PortOwner, c: p.CreatePort, sockets: tuple[socket.socket, socket.socket]) -> None:
        super().__init__(owner, c.port_id, sockets, c.codec, c.dtmf_pt, c.silence_after_s, now_samples())
        self.reporter = Reporter(f"{c.port_id}@{self.local[0]}")
        self.reported_at = 0  # when RTCP of the far end was heard
        self.slot = 0
        self.rounds = hash(c.port_id) % REPORT_ROUNDS
        self.fed_by: tuple[MediaLeg, Feed] | None = None
        self.mixes: tuple[MediaLeg, ...] = ()
        self.mixed_by = 0
        self.quiet_told = False
        self.looping: p.StartPlay | None = None
        self.loading: p.StartPlay | None = None


def _unlink(source: MediaLeg, feed: Feed) -> None:
    """Take `feed` out of the chain of the source's listeners."""
    if source.feed is feed:
        source.feed = feed.next
        return
    link = source.feed
    while link is not None and link.next is not feed:
        link = link.next
    if link is not None:
        link.next = feed.next


class MediaWorker:
    """`tell` takes the events. `execute` carries out commands; see `protocol.py` for what each means."""

    def __init__(self, port_range: PortRange, tell: Callable[[ports.MediaEvent], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._range = port_range
        self._tell = tell
        self._poller: Poller[MediaLeg] = Poller(self._loop, receive_each)
        self._clock = Clock(self._play_over, self._keys_sent)
        self._disk = DiskThread()
        self._tapes = Tapes(self._disk, self._recording_closed)
        self._library = Library(self._loop)
        self._rooms = Rooms()
        self._legs: dict[str, Leg] = {}
        self._slots: list[dict[str, Leg]] = [{} for _ in range(LOOK_AFTER_TICKS)]
        self._ticks = 0
        self._next_tick = self._loop.time() + TICK_S
        self._timer = self._loop.call_at(self._next_tick, self._tick)
        self._commands: dict[type, Callable[[Any], Any]] = {
            p.CreatePort: self._create_port, p.TakeUp: self._take_up, p.UpdatePort: self._update_port,
            p.DeletePort: self._delete_port, p.SetRoom: self._set_room, p.StartPlay: self._start_play,
            p.StopPlay: self._stop_play, p.SendDtmf: self._send_dtmf, p.StartRecording: self._start_recording,
            p.PauseRecording: self._pause_recording, p.RetargetRecording: self._retarget_recording,
            p.StopRecording: self._stop_recording, p.Reset: self._reset, p.Ready: lambda _: None,
        }  # fmt: skip

    @property
    def open_ports(self) -> int:
        """How many there are."""
        return len(self._legs)

    def execute(self, command: p.AnyCommand) -> Any:
        """Carry it out and return what the reply says. Raises KeyError on an unknown id, RuntimeError with no free
        port, ValueError on what makes no sense."""
        return self._commands[type(command)](command)

    async def close(self) -> None:
        """Close recordings, say goodbye, close the ports."""
        self._timer.cancel()
        self._tapes.close_all(now_samples())
        for leg in list(self._legs.values()):
            leg.send_rtcp(leg.reporter.build(leg, time.time(), now_samples(), bye=True))
            self._close(leg)
        self._poller.close()
        await asyncio.to_thread(self._disk.finish)

    # ---------------------------------------------------------------------------------------------------- ports

    def _create_port(self, c: p.CreatePort) -> tuple[str, int]:
        leg = self._legs.get(c.port_id)
        if leg is not None:
            return leg.local
        sockets = self._range.open(c.udp_port)
        leg = Leg(self, c, sockets)
        leg.slot = min(range(LOOK_AFTER_TICKS), key=lambda i: len(self._slots[i]))
        leg.tap = self._tapes.tap(c.port_id)
        self._legs[c.port_id] = self._slots[leg.slot][c.port_id] = leg
        self._poller.add(leg.rtp_socket.fileno(), leg.receive_from)
        self._poller.add(leg.rtcp_socket.fileno(), leg.receive_rtcp)
        for port_id in {c.port_id, *self._rooms.listeners_of(c.port_id)}:
            self._plan(port_id)
        return leg.local

    def _take_up(self, c: p.TakeUp) -> p.PortState | None:
        leg = self._legs.get(c.port_id)
        if leg is None:
            return None
        room_id = self._rooms.room_of(c.port_id) or ""
        recordings = [
            p.StartRecording(
                recording_id=r.recording_id, path=r.path, left_port=r.left.port_id, right_port=r.right.port_id,
                paused=r.paused,
            )
            for r in self._tapes.fed_by(c.port_id)
        ]  # fmt: skip
        return p.PortState(
            c.port_id, *leg.local, leg.codec, leg.dtmf_pt, leg.silence_after / SAMPLE_RATE, leg.lock.remote,
            leg.sending, room_id, self._rooms.matrix(room_id), leg.looping, recordings,
        )  # fmt: skip

    def _update_port(self, c: p.UpdatePort) -> None:
        leg = self._legs[c.port_id]
        if c.remote is not None:
            leg.set_remote(c.remote, now_samples())
        if c.codec is not None:
            leg.set_codec(c.codec)
        if c.dtmf_pt is not None:
            leg.dtmf_pt = c.dtmf_pt
        if c.sending is not None:
            leg.sending = c.sending
        self._plan(c.port_id)

    def _delete_port(self, c: p.DeletePort) -> None:
        leg = self._legs.get(c.port_id)
        if leg is None:
            return
        self._end_play(leg, complete=False)
        self._tell(leg.reporter.stats(leg, time.time()))
        leg.send_rtcp(leg.reporter.build(leg, time.time(), now_samples(), bye=True))
        if leg.malformed or leg.refused:
            log.warning(
                "port %s: %d malformed packets, %d of strangers or of other payload types",
                c.port_id, leg.malformed, leg.refused,
            )  # fmt: skip
        changed = self._rooms.remove(c.port_id)
        self._close(leg)
        for port_id in changed:
            self._plan(port_id)

    def _close(self, leg: Leg) -> None:
        self._unplan(leg)
        self._clock.discard(leg)
        del self._legs[leg.port_id], self._slots[leg.slot][leg.port_id]
        self._poller.remove(leg.rtp_socket.fileno())
        self._poller.remove(leg.rtcp_socket.fileno())
        leg.close()
        self._range.give_back(leg.local[1])

    def _reset(self, c: p.Reset) -> None:
        for recording_id in set(self._tapes.ids()).difference(c.recordings):
            self._retap(self._tapes.stop(recording_id, now_samples()))
        for room_id in set(self._rooms.ids()).difference(c.rooms):
            for port_id in self._rooms.set_room(room_id, {}):
                self._plan(port_id)
        for port_id in set(self._legs).difference(c.ports):
            self._delete_port(p.DeletePort(port_id=port_id))

    # ---------------------------------------------------------------------------------------------------- rooms

    def _set_room(self, c: p.SetRoom) -> None:
        for port_id in self._rooms.set_room(c.room_id, c.hears):
            self._plan(port_id)

    def _unplan(self, leg: Leg, keep: MediaLeg | None = None) -> None:
        """Take back what feeds `leg`, except a relay from `keep`."""
        if leg.fed_by is not None and leg.fed_by[0] is not keep:
            source, feed = leg.fed_by
            leg.disarm()  # from here on the source counts packets that are not sent to it
            _unlink(source, feed)
            leg.fed_by = None
        for source in leg.mixes:
            assert isinstance(source, Leg)
            source.mixed_by -= 1
            if not source.mixed_by:
                source.mixin = None
        leg.mixes = ()

    def _plan(self, port_id: str) -> None:
        """Decide how `port_id` is fed: relayed from its one source, from the clock, or not at all."""
        leg = self._legs.get(port_id)
        if leg is None:
            return
        sources = tuple(self._legs[s] for s in self._rooms.sources_of(port_id) if s in self._legs)
        play = leg.play
        alone = leg.keys_out.active or (play is not None and not play.mix)
        relayed = None
        if not alone and play is None and len(sources) == 1:
            relayed = sources[0] if leg.may_send else None
        self._unplan(leg, keep=relayed)
        if relayed is not None:
            if leg.fed_by is None:
                feed = Feed(relayed, leg)
                leg.fed_by = (relayed, feed)
                feed.next, relayed.feed = relayed.feed, feed
            self._clock.discard(leg)
            return
        mixed = () if alone or not leg.may_send else sources
        for source in mixed:
            source.mixed_by += 1
            if source.mixin is None:
                source.mixin = JitterBuffer()
        leg.mixes = mixed
        if alone or play is not None or mixed or (leg.sending and not sources):
            self._clock.set(leg, mixed)
        else:
            self._clock.discard(leg)

    def receive_by(self, port: MediaLeg, connected: bool) -> None:
        """The port's socket was connected to its source, or is not any more."""
        fd = port.rtp_socket.fileno()
        if connected:
            self._poller.gather(fd, port)
        else:
            self._poller.change(fd, port.receive_from)

    def relay_took_over(self, port: Outgoing) -> None:
        """Relayed packets came back: no filling with silence any more."""
        assert isinstance(port, MediaLeg)
        self._clock.discard(port)

    # ----------------------------------------------------------------------------------------- plays and digits

    def _start_play(self, c: p.StartPlay) -> None:
        leg = self._legs[c.port_id]
        self._end_play(leg, complete=False)
        if c.loop:
            leg.looping = c
        audio = self._library.get(c.source)
        if audio is not None:
            self._begin_play(leg, prompts.Play(c.play_id, audio, c.loop, c.mix))
            return
        leg.loading = c

        def loaded(audio: bytes | None) -> None:
            if leg.loading is not c:
                return  # stopped, replaced or deleted meanwhile
            if audio:
                leg.loading = None
                self._begin_play(leg, prompts.Play(c.play_id, audio, c.loop, c.mix))
            else:
                self._end_play(leg, complete=audio is not None)

        self._plan(c.port_id)
        self._library.load(c.source, loaded)

    def _begin_play(self, leg: Leg, play: prompts.Play) -> None:
        leg.play = play
        self._plan(leg.port_id)

    def _stop_play(self, c: p.StopPlay) -> None:
        leg = self._legs[c.port_id]
        self._end_play(leg, complete=False)
        self._plan(c.port_id)

    def _end_play(self, leg: Leg, complete: bool) -> None:
        ended = leg.play or leg.loading
        leg.play = leg.looping = leg.loading = None
        if ended is not None and ended.play_id:
            self._tell(ports.PlayEnded(time.time(), leg.port_id, ended.play_id, complete))

    def _play_over(self, port: MediaLeg) -> None:
        assert isinstance(port, Leg)
        self._end_play(port, complete=True)
        self._plan(port.port_id)

    def _send_dtmf(self, c: p.SendDtmf) -> None:
        self._press(self._legs[c.port_id], c.digits)

    def _press(self, leg: Leg, digits: str) -> None:
        if leg.dtmf_pt is not None:
            leg.keys_out.push(digits)
        else:
            self._end_play(leg, complete=False)
            leg.play = prompts.Play("", prompts.keypad_audio(digits))
        self._plan(leg.port_id)

    def _keys_sent(self, port: MediaLeg) -> None:
        self._plan(port.port_id)

    def key_pressed(self, port: MediaLeg, press: dtmf.Press) -> None:
        """Tell it; listeners that hear a mix get it sent anew (a relay passes the packets themselves)."""
        self._tell(ports.DtmfReceived(time.time(), port.port_id, press.digit, press.duration_ms))
        for listener_id in self._rooms.listeners_of(port.port_id):
            listener = self._legs.get(listener_id)
            if listener is not None and port in listener.mixes and listener.dtmf_pt is not None:
                self._press(listener, press.digit)

    # ----------------------------------------------------------------------------------------------- recordings

    def _start_recording(self, c: p.StartRecording) -> None:
        if c.recording_id in self._tapes:
            recording = self._tapes.get(c.recording_id)
            self._retap(self._tapes.retarget(recording, c.left_port, c.right_port))
        else:
            recording = self._tapes.start(c.recording_id, c.path, c.left_port, c.right_port, now_samples())
            self._retap({c.left_port, c.right_port})
        self._retap(self._tapes.pause(recording, c.paused))

    def _pause_recording(self, c: p.PauseRecording) -> None:
        self._retap(self._tapes.pause(self._tapes.get(c.recording_id), c.paused))

    def _retarget_recording(self, c: p.RetargetRecording) -> None:
        recording = self._tapes.get(c.recording_id)
        self._retap(self._tapes.retarget(recording, c.left_port, c.right_port))

    def _stop_recording(self, c: p.StopRecording) -> None:
        if c.recording_id in self._tapes:
            self._retap(self._tapes.stop(c.recording_id, now_samples()))
        else:
            self._tapes.measure(c.recording_id, c.path)

    def _retap(self, port_ids: set[str]) -> None:
        for port_id in port_ids:
            leg = self._legs.get(port_id)
            if leg is not None:
                leg.tap = self._tapes.tap(port_id)

    def _recording_closed(self, recording_id: str, path: str, closed: Closed) -> None:
        event = ports.RecordingEnded(time.time(), recording_id, path, round(closed.seconds, 3), closed.size_bytes)
        try:
            self._loop.call_soon_threadsafe(self._tell, event)
        except RuntimeError:
            pass  # the process is ending; the file is complete

    # ------------------------------------------------------------------------------------------------ the clock

    def _tick(self) -> None:
        behind = int((self._loop.time() - self._next_tick) / TICK_S)
        if behind > MAX_TICKS_BEHIND:
            log.warning("the media clock was held up for %.0f ms", behind * TICK_S * 1000)
            self._next_tick += behind * TICK_S
        try:
            now = now_samples()
            self._clock.tick(now)
            self._tapes.tick(now)
            self._ticks += 1
            for leg in list(self._slots[self._ticks % LOOK_AFTER_TICKS].values()):
                self._look_after(leg, now)
        except Exception:
            log.exception("a tick of the media clock failed")
        self._next_tick += TICK_S
        self._timer = self._loop.call_at(self._next_tick, self._tick)

    def _look_after(self, leg: Leg, now: int) -> None:
        """Each 0.3 s: lost ends of key presses, silence, stale relays; reports every 5 s."""
        if leg.keys.waiting and (press := leg.keys.overdue(now)) is not None:
            self.key_pressed(leg, press)
        quiet = now - max(leg.heard_at, leg.quiet_since, leg.reported_at)
        if leg.remote is not None and not leg.quiet_told and quiet >= leg.silence_after > 0:
            leg.quiet_told = True
            leg.expect_restart()
            self._tell(ports.RtpSilent(time.time(), leg.port_id, round(quiet / SAMPLE_RATE, 1)))
        if leg.fed_by is not None and leg.sending and now - leg.fed_by[0].heard_at > STALE_SAMPLES:
            self._clock.set(leg, ())
        leg.look_for_source(now)
        leg.rounds += 1
        if leg.rounds >= REPORT_ROUNDS:
            leg.rounds = 0
            at = time.time()
            leg.send_rtcp(leg.reporter.build(leg, at, now))
            self._tell(leg.reporter.stats(leg, at))

    def rtp_started(self, port: MediaLeg) -> None:
        """Told on the first packet, and on the first after a silence that was told."""
        assert isinstance(port, Leg)
        port.quiet_told = False
        self._tell(ports.RtpStarted(time.time(), port.port_id))

    def rtcp_received(self, port: MediaLeg, data: bytes) -> None:
        """Keep what the far end says of us; one that reports is there, even if it is muted."""
        assert isinstance(port, Leg)
        port.reported_at = now_samples()
        if port.quiet_told:
            self.rtp_started(port)
        port.reporter.take(port, data, time.time())
