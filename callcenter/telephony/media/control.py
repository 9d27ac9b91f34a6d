"""The unix socket of a media worker: commands in, replies and events out, one client at a time.

Audio does not depend on it. A new client takes the place of an older one; what happened while nobody was there is told
to the next once it says that it is ready. What a client sends wrongly is answered, logged and forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

from callcenter.telephony import ports
from callcenter.telephony.media import protocol
from callcenter.telephony.media.worker import MediaWorker
from callcenter.wire import frame, plain, read_frame

log = logging.getLogger(__name__)
MAX_WAITING_EVENTS = 20000
MAX_UNREAD_BYTES = 16 * 1024 * 1024


def _listener(path: Path) -> socket.socket:
    """A listening socket that only this user can open, in place of what lay there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    unix.bind(str(path))
    path.chmod(0o600)
    return unix


class ControlServer:
    """Serves `worker` once it is given by `serve`; `tell` is the worker's way to send events."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._epoch = os.urandom(8).hex()
        self._writer: asyncio.StreamWriter | None = None
        self._ready = False
        self._outbox: list[ports.MediaEvent] = []
        self._waiting: deque[ports.MediaEvent] = deque(maxlen=MAX_WAITING_EVENTS)
        self._worker: MediaWorker | None = None
        self._server: asyncio.Server | None = None

    async def serve(self, path: Path, worker: MediaWorker) -> None:
        """Listen on `path`, in place of a dead predecessor's socket."""
        self._worker = worker
        self._server = await asyncio.start_unix_server(self._client, sock=_listener(path))

    async def close(self) -> None:
        """Stop listening and close the client's connection."""
        if self._server is not None:
            self._server.close()
        if self._writer is not None:
            self._writer.close()

    def tell(self, event: ports.MediaEvent) -> None:
        """Send `event`, or keep it for the next client (figures are not kept)."""
        if self._writer is not None and self._ready:
            if not self._outbox:
                asyncio.get_running_loop().call_soon(self._send_events)
            self._outbox.append(event)
        elif not isinstance(event, ports.PortStats):
            self._waiting.append(event)

    def _send_events(self) -> None:
        """All events of one turn of the loop in one go."""
        events, self._outbox = self._outbox, []
        if self._writer is not None and self._ready:
            self._write(b"".join(frame(protocol.event_frame(event)) for event in events))
        else:
            self._waiting.extend(event for event in events if not isinstance(event, ports.PortStats))

    def _send(self, value: Any) -> None:
        if self._outbox:
            self._send_events()  # in the order in which it happened
        self._write(frame(value))

    def _write(self, data: bytes) -> None:
        writer = self._writer
        if writer is None or writer.transport.is_closing():
            return
        writer.write(data)
        if writer.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            log.error("the client does not read; closing its connection")
            self._drop(writer)

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        if self._writer is writer:
            self._writer, self._ready = None, False
        writer.transport.abort()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._worker is not None
        if self._writer is not None:
            log.info("a new client takes the place of an older one")
            self._drop(self._writer)
        self._writer, self._ready = writer, False
        self._send(plain(protocol.Hello(self._number, self._epoch, self._worker.open_ports)))
        try:
            while self._writer is writer:
                self._carry_out(await read_frame(reader))
        except (asyncio.IncompleteReadError, OSError):
            pass
        except (ValueError, msgspec.DecodeError) as error:
            log.warning("closing a connection that sent no frame of ours: %s", error)
        finally:
            self._drop(writer)

    def _carry_out(self, raw: Any) -> None:
        assert self._worker is not None
        number = raw.get("n", 0) if isinstance(raw, dict) else 0
        reply: dict[str, Any] = {"reply": number}
        try:
            command = protocol.command_from(raw)
            reply["value"] = plain(self._worker.execute(command))
            if isinstance(command, protocol.Ready):
                self._become_ready()
        except (msgspec.ValidationError, KeyError, ValueError, RuntimeError) as error:
            reply["error"] = f"{type(error).__name__}: {error}"
            log.warning("command refused: %s", reply["error"])
        except Exception as error:
            reply["error"] = f"{type(error).__name__}: {error}"
            log.exception("command failed")
        if number:
            self._send(reply)

    def _become_ready(self) -> None:
        self._ready = True
        while self._waiting and self._ready:
            self._send(protocol.event_frame(self._waiting.popleft()))
