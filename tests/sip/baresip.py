"""baresip as an independent SIP phone for tests: one account, commands over its control socket.

Needs the Debian package baresip-core.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.sip.sipp import free_port

CONFIG = """poll_method epoll
sip_listen 127.0.0.1:{port}
call_max_calls 4
audio_player aubridge,a
audio_source {source}
audio_alert aubridge,c
rtp_ports {rtp}-{rtp_last}
ctrl_tcp_listen 127.0.0.1:{control}
module_path {modules}
module g711.so
module aubridge.so
{more}module_app account.so
module_app menu.so
module_app ctrl_tcp.so
"""


class Baresip:
    """A running phone with account `user` on 127.0.0.1:`port`."""

    def __init__(self, port: int, control: int, folder: Path) -> None:
        self.port, self._control, self._folder = port, control, folder

    def heard(self) -> list[Path]:
        """WAVs of what it heard, one a call, the oldest first; they grow."""
        return sorted(self._folder.glob("dump-*-dec.wav"), key=lambda path: path.stat().st_ctime)

    async def command(self, name: str, parameters: str = "") -> None:
        """Give a command of its menu ("hold", "resume", "hangup", "dial" …)."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._control)
        text = json.dumps({"command": name, "params": parameters})
        writer.write(f"{len(text)}:{text},".encode())
        await writer.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(4096), 0.5)
        writer.close()


def _free_tcp_port() -> int:
    while True:
        port = free_port()
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _modules() -> Path | None:
    return next(iter(Path("/usr/lib").glob("**/baresip/modules")), None)


@contextlib.asynccontextmanager
async def phone(
    user: str,
    codecs: str = "pcmu,pcma",
    answers: bool = True,
    *,
    registrar: int = 0,
    password: str = "",
    hz: int = 0,
) -> AsyncIterator[Baresip]:
    """A phone that answers by itself (or by command); with `registrar` it registers at 127.0.0.1:`registrar`. With `hz`
    it says a tone and keeps what it hears (`Baresip.heard`); otherwise it says what it hears."""
    binary = shutil.which("baresip")
    modules = _modules()
    if binary is None or modules is None:
        raise AssertionError("baresip is missing: apt-get install baresip-core")
    folder = Path(tempfile.mkdtemp(prefix="baresip-"))
    port, control, rtp = free_port(), _free_tcp_port(), free_port()
    mode = "auto" if answers else "manual"
    host = f"127.0.0.1:{registrar or port}"
    register = f"regint=60;auth_user={user};auth_pass={password}" if registrar else "regint=0"
    (folder / "accounts").write_text(f"<sip:{user}@{host}>;{register};answermode={mode};audio_codecs={codecs}\n")
    (folder / "config").write_text(
        CONFIG.format(
            port=port,
            control=control,
            modules=modules,
            rtp=rtp,
            rtp_last=rtp + 50,
            more=f"module ausine.so\nmodule sndfile.so\nsnd_path {folder}\nausrc_srate 48000\nausrc_channels 2\n"
            if hz
            else "",
            source=f"ausine,{hz}" if hz else "aubridge,a",
        )
    )
    log = (folder / "log").open("wb")
    process = await asyncio.create_subprocess_exec(
        binary, "-4", "-f", str(folder), stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log
    )
    try:
        for _ in range(250):  # its log is all there is to watch
            if "baresip is ready" in (folder / "log").read_text(errors="replace"):
                break
            await asyncio.sleep(0.02)
        yield Baresip(port, control, folder)
    finally:
        process.kill()
        await process.wait()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)
