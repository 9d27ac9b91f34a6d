"""Calls to a carrier (SIPp), each with one outcome."""

from __future__ import annotations

import pytest

from callcenter.telephony.ports import Cause, LegAnswered, LegRinging, LegTrying
from tests.sip.sipp import Sipp, pause, recv, scenario, sdp, send, send_reply
from tests.telephony.sip.harness import run, running

pytestmark = pytest.mark.interop

ANSWERS = (recv("INVITE"), send(100), send(180), pause(100), send(200, body=sdp()), recv("ACK"))


def test_call_rings_is_answered_and_hung_up_by_us() -> None:
    async def check() -> None:
        carrier = await Sipp.start(scenario(*ANSWERS, recv("BYE"), send_reply()))
        async with running() as engine:
            engine.call(carrier.port)
            trying = await engine.wait(LegTrying)
            ringing = await engine.wait(LegRinging)
            answered = await engine.wait(LegAnswered)
            engine.port.hangup("leg")
            ended = await engine.ended()
            result = await carrier.finish()
        assert (trying.dialog.state, ringing.status, answered.dialog.state) == ("early", 180, "confirmed")
        assert (answered.sdp.address.port, answered.sdp.codec) == (18000, "pcmu")
        assert (ended.cause, ended.by_us) == (Cause.NORMAL, True)
        assert (result.successful, result.failed, result.retransmissions) == (1, 0, 0), result.errors

    run(check())
