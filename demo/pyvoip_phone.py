"""A softphone on pyVoIP: registers, answers every call after a second, talks, and reports keys pressed.

A process of its own, started by `demo.phones`. It prints one word and its value per line (`registered`, `answered`,
`dtmf 5`, `ended`) and ends when its standard input closes, so it never outlives the carrier. The password comes by
`DEMO_PHONE_PASSWORD`, not by the command line, which every user of the machine can read.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np

from demo.sounds import Samples, murmur, read_wav, tone

TALK_EVERY_S = 5.0
REGISTER_S = 10.0


def say(*words: object) -> None:
    """One line to the carrier."""
    print(*words, flush=True)


def eight_bit(samples: Samples) -> bytes:
    """`samples` as pyVoIP wants them: 8 bit unsigned, 8 kHz."""
    return bytes((np.clip(samples, -1, 1) * 127 + 128).astype(np.uint8).tobytes())


def sound(path: Path) -> bytes:
    """The phrase, or a murmur where there is none yet."""
    try:
        return eight_bit(read_wav(path))
    except (OSError, ValueError, EOFError):
        return eight_bit(murmur(1.2, 190.0))


def main() -> None:
    """Run until standard input closes. Ends with status 1 when pyVoIP does not start or register."""
    parser = argparse.ArgumentParser(description="A pyVoIP softphone for the demo carrier.")
    parser.add_argument("--server", required=True)
    parser.add_argument("--user", required=True)
    for name in ("port", "sip-port", "rtp-first", "rtp-last"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("hello", "talk"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    try:
        from pyVoIP.VoIP.status import PhoneStatus
        from pyVoIP.VoIP.VoIP import CallState, VoIPCall, VoIPPhone
    except ImportError as error:
        say("unusable", error)
        raise SystemExit(1) from None

    def on_call(call: VoIPCall) -> None:
        try:
            call.answer()
            say("answered")
            call.write_audio(sound(given.hello))
            talk_at = time.monotonic() + TALK_EVERY_S
            while call.state == CallState.ANSWERED:
                if key := call.get_dtmf():
                    say("dtmf", key)
                    call.write_audio(eight_bit(tone(0.2, 800)))
                if time.monotonic() >= talk_at:
                    talk_at += TALK_EVERY_S
                    call.write_audio(sound(given.talk))
                time.sleep(0.05)
        except Exception as error:
            say("fault", type(error).__name__, error)
        say("ended")

    phone = VoIPPhone(
        given.server,
        given.port,
        given.user,
        os.environ.get("DEMO_PHONE_PASSWORD", ""),
        myIP=given.server,
        callCallback=on_call,
        sipPort=given.sip_port,
        rtpPortLow=given.rtp_first,
        rtpPortHigh=given.rtp_last,
    )

    def leave_with_the_carrier() -> None:
        sys.stdin.buffer.read()
        os._exit(0)  # pyVoIP's threads wait for nobody

    threading.Thread(target=leave_with_the_carrier, daemon=True).start()
    try:
        phone.start()
    except Exception as error:
        say("fault", type(error).__name__, error)
    until = time.monotonic() + REGISTER_S
    while phone.get_status() != PhoneStatus.REGISTERED and time.monotonic() < until:
        time.sleep(0.05)
    if phone.get_status() != PhoneStatus.REGISTERED:
        say("not registered")
        os._exit(1)
    say("registered")
    while phone.get_status() not in (PhoneStatus.FAILED, PhoneStatus.INACTIVE):
        time.sleep(1.0)
    say("failed")
    os._exit(1)


if __name__ == "__main__":
    main()
