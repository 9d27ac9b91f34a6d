"""Settings of an installation, all from the environment, each with a default that works on one machine.

`runner` fills in what it found (free ports, the embedded databases) before it starts the other processes.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _int(name: str, default: int) -> int:
    raw = os.environ.get(name, "")
    try:
        return int(raw) if raw else default
    except ValueError:
        raise SystemExit(f"{name}={raw!r} is not a whole number; unset it or give one") from None


def _advertised(raw: str) -> tuple[str, int]:
    host, colon, port = raw.partition(":")
    try:
        if raw:
            ipaddress.IPv4Address(host)
        if colon and not 0 < int(port) < 65536:
            raise ValueError(port)
    except ValueError:
        raise SystemExit(f"CALLCENTER_SIP_ADVERTISED={raw!r}: give an IPv4 address, or address:port") from None
    return host, int(port or 0)


@dataclass(frozen=True)
class Config:
    """One process's view of the settings. Addresses are `host`, `port`; times in seconds."""

    var: Path
    database_url: str
    redis_url: str
    secret_key: str
    web_host: str
    web_port: int
    web_workers: int
    engine_id: str
    sip_host: str
    sip_port: int
    sip_advertised: tuple[str, int]  # ("", 0): what is bound
    media_workers: int
    media_ip: str
    media_port_min: int
    media_port_max: int
    edge: str
    edge_ip: str
    rtpengine_ng: str
    demo: bool
    log_level: str
    far_end_silent_s: float = 30.0  # then a far end is asked whether it is there

    @property
    def run_dir(self) -> Path:
        """Local sockets of the processes."""
        return self.var / "run"

    def media_socket(self, worker: int) -> Path:
        """Control socket of media worker `worker` (0, 1 …)."""
        return self.run_dir / f"media-{worker}.sock"

    @property
    def edge_socket(self) -> Path:
        """Control socket of the browser edge."""
        return self.run_dir / "edge.sock"

    @property
    def recordings_dir(self) -> Path:
        """Root of recordings; `live/` while they grow, `store/` afterwards."""
        return self.var / "recordings"


def load() -> Config:
    """The settings of this process. Ends it with a plain sentence if one does not make sense."""
    env = os.environ.get
    var = Path(env("CALLCENTER_VAR", str(ROOT / "var"))).resolve()
    edge = env("EDGE", "aiortc")
    if edge not in ("aiortc", "rtpengine"):
        raise SystemExit(f"EDGE={edge!r}: give 'aiortc' or 'rtpengine'")
    return Config(
        var=var,
        database_url=env("DATABASE_URL", ""),
        redis_url=env("REDIS_URL", ""),
        secret_key=env("SECRET_KEY", ""),
        web_host=env("WEB_HOST", "127.0.0.1"),
        web_port=_int("WEB_PORT", 8080),
        web_workers=_int("WEB_WORKERS", 1),
        engine_id=env("ENGINE_ID", "engine-1"),
        sip_host=env("SIP_HOST", "127.0.0.1"),
        sip_port=_int("SIP_PORT", 5060),
        sip_advertised=_advertised(env("CALLCENTER_SIP_ADVERTISED", "")),
        media_workers=_int("MEDIA_WORKERS", 1),
        media_ip=env("MEDIA_IP", "127.0.0.1"),
        media_port_min=_int("MEDIA_PORT_MIN", 20000),
        media_port_max=_int("MEDIA_PORT_MAX", 27998),
        edge=edge,
        edge_ip=env("EDGE_IP", "127.0.0.1"),
        rtpengine_ng=env("RTPENGINE_NG", "127.0.0.1:2223"),
        demo=env("DEMO", "0") == "1",
        log_level=env("LOG_LEVEL", "INFO"),
        far_end_silent_s=float(max(1, _int("FAR_END_SILENT_S", 30))),
    )
