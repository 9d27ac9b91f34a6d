"""The private names of aiortc and aioice, and what the edge relies on behind them."""

from __future__ import annotations

import asyncio
import importlib.metadata
from pathlib import Path

import pytest
from aioice.ice import Connection
from aiortc import RTCDtlsTransport

from callcenter.telephony.edge.aiortc_transport import BrowserTransport, check_private_names

ROOT = Path(__file__).resolve().parents[3]


def test_installed_aiortc_is_the_pinned_one_and_has_every_private_name() -> None:
    assert f"aiortc=={importlib.metadata.version('aiortc')}" in (ROOT / "requirements.txt").read_text().splitlines()
    check_private_names()


@pytest.mark.parametrize(
    ("owner", "name"), [(RTCDtlsTransport, "_set_role"), (Connection, "data_received"), (Connection, "check_incoming")]
)
def test_missing_private_name_is_told_by_name(owner: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(owner, name)
    with pytest.raises(RuntimeError, match=name):
        check_private_names()


def test_only_the_adapter_touches_private_names() -> None:
    for path in (ROOT / "callcenter" / "telephony" / "edge").glob("*.py"):
        if path.name != "aiortc_transport.py":
            text = path.read_text()
            assert "aioice" not in text, path.name
            assert "_dtls" not in text, path.name


def test_two_transports_carry_rtp_and_rtcp_both_ways_and_tell_the_end() -> None:
    async def scenario() -> None:
        got: dict[str, list[bytes]] = {"a rtp": [], "a rtcp": [], "b rtp": [], "b rtcp": []}
        states: dict[str, list[str]] = {"a": [], "b": []}

        def make(name: str) -> BrowserTransport:
            return BrowserTransport(
                got[f"{name} rtp"].append,
                got[f"{name} rtcp"].append,
                lambda state, detail: states[name].append(state),
                addresses=("127.0.0.1",),
            )

        a, b = make("a"), make("b")
        a_ufrag, a_pwd, a_digests, a_candidates = await a.gather()
        b_ufrag, b_pwd, b_digests, b_candidates = await b.gather()
        assert [c.ip for c in (*a_candidates, *b_candidates)] == ["127.0.0.1"] * 2
        a.send_rtp(b"\x80" + b"\x00" * 20)  # before it is connected: dropped, no error
        # Neither looks for the other (both wait to be found, as with a browser), so one is told where to look.
        b._connection.ice_controlling = True
        from aiortc import RTCIceCandidate

        await b._ice.addRemoteCandidate(RTCIceCandidate(1, "f", "127.0.0.1", a_candidates[0].port, 1, "udp", "host"))
        a.connect(b_ufrag, b_pwd, b_digests, dtls_server=False)
        b.connect(a_ufrag, a_pwd, a_digests, dtls_server=True)
        await _until(lambda: states == {"a": ["connected"], "b": ["connected"]})
        rtp = b"\x80\x00" + (1).to_bytes(2, "big") + b"\x00\x00\x00\x01" + b"\x00\x00\x00\x07" + b"audio" * 32
        rtcp = b"\x80\xc9\x00\x01\x00\x00\x00\x07"
        a.send_rtp(rtp)
        a.send_rtcp(rtcp)
        b.send_rtp(rtp)
        b.send_rtcp(rtcp)
        await _until(lambda: all(len(v) == 1 for v in got.values()))
        assert got == {"a rtp": [rtp], "a rtcp": [rtcp], "b rtp": [rtp], "b rtcp": [rtcp]}
        a._data_received(b"\x80\x00" + b"forged" * 20, 1)
        a._data_received(b"", 1)
        assert len(got["a rtp"]) == 1
        await b.close()
        await _until(lambda: states["a"] == ["connected", "closed"])
        assert states["b"] == ["connected"]
        await a.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_wrong_certificate_is_refused() -> None:
    async def scenario() -> None:
        states: list[tuple[str, str]] = []
        a = BrowserTransport(
            lambda p: None, lambda p: None, lambda s, d: states.append((s, d)), addresses=("127.0.0.1",)
        )
        b = BrowserTransport(lambda p: None, lambda p: None, lambda s, d: None, addresses=("127.0.0.1",))
        a_ufrag, a_pwd, a_digests, a_candidates = await a.gather()
        b_ufrag, b_pwd, _, _ = await b.gather()
        b._connection.ice_controlling = True
        from aiortc import RTCIceCandidate

        await b._ice.addRemoteCandidate(RTCIceCandidate(1, "f", "127.0.0.1", a_candidates[0].port, 1, "udp", "host"))
        a.connect(b_ufrag, b_pwd, [("sha-256", ":".join(["00"] * 32))], dtls_server=False)
        b.connect(a_ufrag, a_pwd, a_digests, dtls_server=True)
        await _until(lambda: bool(states))
        assert states[0][0] == "closed"
        assert "DTLS" in states[0][1]
        await a.close()
        await b.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


async def _until(check: object) -> None:
    assert callable(check)
    for _ in range(200):
        if check():
            return
        await asyncio.sleep(0.025)
    raise AssertionError("not within 5 s")
