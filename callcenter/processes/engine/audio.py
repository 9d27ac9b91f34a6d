"""What the floor wants heard: rooms, prompts, music, keys, recordings, carried to the media process.

Prompts by name take a moment to become a file (`voice.py`). Whatever is wanted of the same port meanwhile replaces
them: they are then told as stopped, and never heard.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from callcenter.calls import effects as fx
from callcenter.clock import wall_s
from callcenter.processes.engine.listening import Listening
from callcenter.processes.engine.voice import Voice
from callcenter.telephony import ports as p

if TYPE_CHECKING:
    from callcenter.processes.engine.shell import Engine
    from callcenter.processes.engine.tenant import Tenant

log = logging.getLogger(__name__)


class Audio:
    """The engine's hand on the media process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.media = engine.media
        self.voice = Voice(engine.config.var, engine.prompts, self._prompt)
        self.listening = Listening(self._fell_silent)
        self._wanted: dict[str, int] = {}  # port → number of the newest play or stop

    def carry_out(self, tenant: Tenant, effect: fx.Effect) -> bool:
        """Whether `effect` is one about audio; it is done then."""
        match effect:
            case fx.Room(room_id=room, hears=hears):
                try:
                    self.media.set_room(room, hears)
                except KeyError as missing:
                    log.warning("room of %s: no port %s", room, missing)
            case fx.Play(port_id=port, play_id=play, source=source, loop=loop, mix=mix):
                self._next(port)
                path = self.engine.prompts.get(source, source)
                self._try(lambda: self.media.play(port, play, path, loop=loop, mix=mix))
            case fx.PlayPrompts():
                self.engine.spawn(self._play(tenant, effect, self._next(effect.port_id)), "a prompt")
            case fx.StopPlay(port_id=port):
                self._next(port)
                self._try(lambda: self.media.stop_play(port))
            case fx.SendDtmf(port_id=port, digits=digits):
                self._try(lambda: self.media.send_dtmf(port, digits))
            case fx.ClosePort(call_id=call_id):
                self.close(fx.call_port(call_id))
            case _:
                return self._recording(tenant, effect)
        return True

    def close(self, port: str) -> None:
        """The port is no longer needed."""
        self._wanted.pop(port, None)
        self.media.delete_port(port)

    def _recording(self, tenant: Tenant, effect: fx.Effect) -> bool:
        match effect:
            case fx.Record(recording_id=rid, left_port=left, right_port=right):
                self._start(tenant, rid, left, right)
            case fx.RecordVoicePort(recording_id=rid, port_id=port, silence_s=silence_s):
                path = self._start(tenant, rid, port, port)
                if silence_s > 0:
                    self.listening.begin(rid, path, silence_s)
            case fx.RetargetRecord(recording_id=rid, left_port=left, right_port=right):
                self._try(lambda: self.media.retarget_recording(rid, left, right))
            case fx.PauseRecord(recording_id=rid, paused=paused):
                self._try(lambda: self.media.pause_recording(rid, paused))
            case fx.StopRecord(recording_id=rid):
                self.listening.end(rid)
                self._try(lambda: self.media.stop_recording(rid))
            case _:
                return False
        return True

    def _fell_silent(self, rid: str) -> None:
        self._try(lambda: self.media.stop_recording(rid))

    def _start(self, tenant: Tenant, rid: str, left: str, right: str) -> Path:
        path = self.engine.config.recordings_dir / "live" / str(tenant.id) / f"{rid}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._try(lambda: self.media.start_recording(rid, str(path), left, right))
        return path

    def _next(self, port: str) -> int:
        number = self._wanted.get(port, 0) + 1
        self._wanted[port] = number
        return number

    async def _play(self, tenant: Tenant, effect: fx.PlayPrompts, number: int) -> None:
        source = await self.voice.resolve(tenant.id, effect.prompts, effect.language)
        port = effect.port_id
        if self._wanted.get(port) == number:
            try:
                self.media.play(port, effect.play_id, source, loop=effect.loop, mix=effect.mix)
                return
            except KeyError as missing:
                log.warning("media: nothing is called %s", missing)
        tenant.floor.media(p.PlayEnded(wall_s(), port, effect.play_id, complete=False), wall_s())
        self.engine.apply(tenant)

    def _prompt(self, tenant: int, prompt_id: int) -> dict[str, object] | None:
        known = self.engine.tenants.get(tenant)
        return known.documents.get(("prompt", prompt_id)) if known is not None else None

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except KeyError as missing:
            log.warning("media: nothing is called %s", missing)
