"""SIPp as a real SIP peer for tests: scenarios built in Python, one process each, bounded in time, counters at the end.

    sipp = await Sipp.start(uas(recv("INVITE"), send(486), recv("ACK")), calls=1)
    ...
    result = await sipp.finish()
    assert result.successful == 1

`uas` is the called side (`Sipp.port` is where to call it), `uac` the calling one. Needs the Debian package sip-tester.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import os
import random
import shutil
import signal
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

SDP = """v=0
o=- 53655765 2353687637 IN IP4 [local_ip]
s=-
c=IN IP4 {ip}
t=0 0
m=audio {port} RTP/AVP {formats}
{attributes}a={direction}
"""


def free_port() -> int:
    """A UDP port below the ephemeral range that is free on 127.0.0.1 just now."""
    for _ in range(200):
        port = random.randrange(10000, 31990, 2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port below 32000")


def sdp(
    codecs: tuple[int, ...] = (0,),
    *,
    ip: str = "127.0.0.1",
    port: int = 18000,
    direction: str = "sendrecv",
    dtmf: int | None = 101,
) -> str:
    """A session description of SIPp's: payload types `codecs`, and telephone-event `dtmf`."""
    names = {0: "PCMU", 8: "PCMA", 18: "G729", 9: "G722"}
    attributes = "".join(f"a=rtpmap:{pt} {names[pt]}/8000\n" for pt in codecs)
    formats = [*codecs]
    if dtmf is not None:
        formats.append(dtmf)
        attributes += f"a=rtpmap:{dtmf} telephone-event/8000\na=fmtp:{dtmf} 0-15\n"
    return SDP.format(ip=ip, port=port, formats=" ".join(map(str, formats)), attributes=attributes, direction=direction)


_REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    401: "Unauthorized",
    407: "Proxy Authentication Required",
    486: "Busy Here",
    487: "Request Terminated",
    603: "Decline",
}


def _remember(header: str, variable: str) -> str:
    return f'<ereg regexp=".*" search_in="hdr" header="{header}:" assign_to="{variable}"/>'


def recv(
    what: str | int, *, optional: bool = False, timeout_ms: int = 8000, auth: bool = False, save: bool = False
) -> str:
    """Wait for a request (name) or a response (number). `save`, on an INVITE that is answered in parts, keeps its
    headers for requests of ours in the dialog."""
    kind = "response" if isinstance(what, int) else "request"
    extra = f' timeout="{timeout_ms}"' + (' optional="true"' if optional else "") + (' auth="true"' if auth else "")
    if what == "INVITE" or save:
        names = (
            (("From", "their_from"), ("To", "my_to"), ("Via", "invite_via"), ("CSeq", "invite_cseq"))
            if kind == "request"
            else ()
        )
        action = "".join(_remember(*n) for n in names)
        body = f"<action>{action}</action>" if action else ""
        return f'<recv {kind}="{what}"{extra} rrs="true">{body}</recv>'
    return f'<recv {kind}="{what}"{extra}/>'


def send(
    status: int,
    *,
    body: str = "",
    headers: str = "",
    tag: str = "",
    retrans: bool | None = None,
    contact: bool = True,
    reason: str = "",
) -> str:
    """Answer the last request. `tag` makes another dialog of it (a fork); `headers` are lines to add."""
    to = f"[last_To:];tag=[pid]T{tag or 1}[call_number]" if status > 100 else "[last_To:]"
    lines = [
        f"SIP/2.0 {status} {reason or _REASONS.get(status, 'Whatever')}",
        "[last_Via:]", "[last_From:]", to, "[last_Call-ID:]", "[last_CSeq:]",
    ]  # fmt: skip
    if contact:
        lines.append("Contact: <sip:[local_ip]:[local_port];transport=UDP>")
    return _send(lines, headers, body, retrans if retrans is not None else False)


def send_reply(status: int = 200, *, body: str = "", headers: str = "") -> str:
    """Answer a request inside the dialog: the To tag is there already."""
    lines = [
        f"SIP/2.0 {status} {_REASONS.get(status, 'Whatever')}",
        "[last_Via:]", "[last_From:]", "[last_To:]", "[last_Call-ID:]", "[last_CSeq:]",
        "Contact: <sip:[local_ip]:[local_port]>",
    ]  # fmt: skip
    return _send(lines, headers, body, False)


def send_to_invite(status: int, *, body: str = "", tag: str = "", headers: str = "") -> str:
    """Answer the INVITE although another request came since (a 200 that crosses a CANCEL)."""
    lines = [f"SIP/2.0 {status} {_REASONS.get(status, 'Whatever')}", "Via:[$invite_via]", "From:[$their_from]",
             f"To:[$my_to];tag=[pid]T{tag or 1}[call_number]", "[last_Call-ID:]", "CSeq:[$invite_cseq]",
             "Contact: <sip:[local_ip]:[local_port]>"]  # fmt: skip
    return _send(lines, headers, body, False)


def request(method: str, *, cseq: int = 1, body: str = "", headers: str = "") -> str:
    """A request of the called side inside the dialog that it answered."""
    lines = [
        f"{method} [next_url] SIP/2.0",
        "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]",
        "Max-Forwards: 70",
        "From:[$my_to];tag=[pid]T1[call_number]",
        "To:[$their_from]",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:[local_ip]:[local_port]>",
    ]
    return _send(lines, headers, body, method != "ACK")


def start(
    method: str = "INVITE",
    *,
    to: str = "4000",
    caller: str = "+8613800000000",
    body: str = "",
    headers: str = "",
    cseq: int = 1,
    name: str = "",
) -> str:
    """A request of the calling side that opens a dialog, or is outside of any."""
    lines = [
        f"{method} sip:{to}@[remote_ip]:[remote_port] SIP/2.0",
        f"Via: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK[pid]-[call_number]-{cseq}",
        "Max-Forwards: 70",
        f"From: {name}<sip:{caller}@[local_ip]:[local_port]>;tag=[pid]F[call_number]",
        f"To: <sip:{to}@[remote_ip]:[remote_port]>",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:carrier@[local_ip]:[local_port]>",
    ]
    return _send(lines, headers, body, True)


def follow(
    method: str,
    *,
    to: str = "4000",
    caller: str = "+8613800000000",
    cseq: int = 1,
    body: str = "",
    same_branch: bool = False,
    headers: str = "",
    tagged: bool = True,
) -> str:
    """A further request of the calling side: ACK, BYE, CANCEL (`same_branch`, not `tagged`) …"""
    branch = f"z9hG4bK[pid]-[call_number]-{cseq}" if same_branch else "[branch]"
    peer = "[peer_tag_param]" if tagged else ""
    uri = "[next_url]" if tagged else f"sip:{to}@[remote_ip]:[remote_port]"
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP [local_ip]:[local_port];branch={branch}",
        "Max-Forwards: 70",
        f"From: <sip:{caller}@[local_ip]:[local_port]>;tag=[pid]F[call_number]",
        f"To: <sip:{to}@[remote_ip]:[remote_port]>{peer}",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
    ]
    return _send(lines, headers, body, method != "ACK")


def pause(ms: int) -> str:
    """Do nothing for `ms`."""
    return f'<pause milliseconds="{ms}"/>'


def _send(lines: list[str], headers: str, body: str, retrans: bool) -> str:
    text = "\n".join(lines) + "\n" + (headers.strip() + "\n" if headers else "")
    if body:
        text += "Content-Type: application/sdp\n"
    text += "Content-Length: [len]\n\n" + body
    option = ' retrans="500"' if retrans else ""
    return f"<send{option}><![CDATA[\n{text}\n]]></send>"


def scenario(*steps: str) -> str:
    """The XML of a scenario."""
    used = "their_from,my_to,invite_via,invite_cseq"
    reference = f'<Reference variables="{used}"/>' if any("their_from" in s and "ereg" in s for s in steps) else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n<scenario name="test">\n'
        + "\n".join(steps)
        + f"\n{reference}\n</scenario>\n"
    )


@dataclass(frozen=True)
class SippResult:
    """What SIPp counted. `messages` is its log of all packets, `errors` its complaints."""

    successful: int
    failed: int
    retransmissions: int
    exit_code: int
    errors: str
    messages: str


class Sipp:
    """One SIPp process on 127.0.0.1."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, port: int) -> None:
        self.process, self.folder, self.port = process, folder, port

    @classmethod
    async def start(
        cls,
        steps: str,
        *,
        calls: int = 1,
        remote: tuple[str, int] | None = None,
        port: int = 0,
        ip: str = "127.0.0.1",
        rate: int = 10,
        timeout_s: int = 20,
        extra: tuple[str, ...] = (),
    ) -> Sipp:
        """Run scenario `steps` for `calls` calls, at most `timeout_s` seconds. With `remote` it calls there, at `rate`
        calls per second; without, it waits to be called on `port` (a free one if 0)."""
        binary = shutil.which("sipp")
        if binary is None:
            raise AssertionError("SIPp is missing: apt-get install sip-tester")
        folder = Path(tempfile.mkdtemp(prefix="sipp-"))
        (folder / "scenario.xml").write_text(steps)
        port = port or free_port()
        target = [f"{remote[0]}:{remote[1]}", "-r", str(rate)] if remote else []
        silent = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            binary, *target, "-sf", "scenario.xml", "-i", ip, "-p", str(port), "-m", str(calls), "-nostdin",
            "-timeout", str(timeout_s), "-trace_err", "-error_file", "errors.log", "-trace_stat", "-stf", "stat.csv",
            "-trace_msg", "-message_file", "messages.log", "-fd", "1", *extra,
            cwd=folder, stdout=silent, stderr=silent, stdin=silent, env={**os.environ, "TERM": "dumb"},
        )  # fmt: skip
        sipp = cls(process, folder, port)
        await sipp._wait_bound(ip)
        return sipp

    async def _wait_bound(self, ip: str) -> None:
        for _ in range(200):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.bind((ip, self.port))
                except OSError:
                    return
            if self.process.returncode is not None:
                return
            await asyncio.sleep(0.01)

    async def finish(self, wait_s: float = 15.0) -> SippResult:
        """Wait until all calls are through (at most `wait_s`, then it is told to quit) and return the counters."""
        try:
            await asyncio.wait_for(self.process.wait(), wait_s)
        except TimeoutError:
            self.process.send_signal(signal.SIGUSR1)
            try:
                await asyncio.wait_for(self.process.wait(), 3.0)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        result = self._read()
        shutil.rmtree(self.folder, ignore_errors=True)
        return result

    def messages(self) -> str:
        """The packets so far, as SIPp logged them."""
        path = self.folder / "messages.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _read(self) -> SippResult:
        counters = {"SuccessfulCall(C)": 0, "FailedCall(C)": 0, "Retransmissions(C)": 0}
        stat = self.folder / "stat.csv"
        if stat.exists():
            rows = list(csv.DictReader(stat.read_text().splitlines(), delimiter=";"))
            if rows:
                counters = {name: int(rows[-1][name] or 0) for name in counters}
        errors = self.folder / "errors.log"
        return SippResult(
            counters["SuccessfulCall(C)"],
            counters["FailedCall(C)"],
            counters["Retransmissions(C)"],
            self.process.returncode or 0,
            errors.read_text(errors="replace") if errors.exists() else "",
            self.messages(),
        )

    async def kill(self) -> None:
        """End it at once, whatever it does."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
