"""Registration, digest and OPTIONS against SIPp as the carrier's registrar."""

from __future__ import annotations

import asyncio
import hashlib
import re

import pytest

from callcenter.telephony.ports import Cause, LegAnswered, Transport, TrunkHealth
from callcenter.telephony.sip.trunk_agent import refresh_after_s, retry_after_s
from tests.sip.sipp import Sipp, free_port, recv, scenario, sdp, send, send_reply
from tests.telephony.sip.harness import run, running, trunk

pytestmark = [pytest.mark.interop, pytest.mark.promise("D6")]

CHALLENGE = 'Digest realm="carrier.example",nonce="9cbf1b2f",algorithm=MD5,qop="auth"'


def _digest_is_right(messages: str, method: str, password: str) -> bool:
    """Whether the last credentials in SIPp's log of packets are those of user acme (RFC 2617, section 3.2.2)."""
    line = [text for text in messages.splitlines() if "uthorization: Digest" in text][-1]
    given = dict(re.findall(r'(\w+)="?([^",]*)"?', line.partition("Digest ")[2]))

    def h(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode()).hexdigest()

    secret, wanted = h(given["username"], given["realm"], password), h(method, given["uri"])
    expected = h(secret, given["nonce"], given["nc"], given["cnonce"], given["qop"], wanted)
    return given["username"] == "acme" and given["response"] == expected


def _challenge(status: int) -> str:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return send(status, headers=f"{name}: {CHALLENGE}", tag="c")


@pytest.mark.parametrize("status", [401, 407])
def test_challenged_call_is_sent_again_with_the_right_digest(status: int) -> None:
    async def check() -> None:
        carrier = await Sipp.start(
            scenario(
                recv("INVITE"),
                _challenge(status),
                recv("ACK"),
                recv("INVITE"),
                send(200, body=sdp()),
                recv("ACK"),
                recv("BYE"),
                send_reply(),
            )
        )
        async with running() as engine:
            engine.call(carrier.port, username="acme", password="secret")
            await engine.wait(LegAnswered)
            engine.port.hangup("leg")
            await engine.ended()
            result = await carrier.finish()
        name = "Authorization" if status == 401 else "Proxy-Authorization"
        assert f"\n{name}: Digest" in result.messages
        assert _digest_is_right(result.messages, "INVITE", "secret")
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_wrong_password_is_told_as_a_trunk_set_up_wrongly() -> None:
    async def check() -> None:
        refused = (recv("INVITE"), _challenge(401), recv("ACK"))
        carrier = await Sipp.start(scenario(*refused, *refused))
        async with running() as engine:
            engine.call(carrier.port, username="acme", password="wrong")
            ended = await engine.ended()
            assert (await carrier.finish()).successful == 1
        assert (ended.cause, ended.status) == (Cause.REJECTED, 401)

    run(check())


def test_nonce_that_grew_old_is_answered_once_more() -> None:
    async def check() -> None:
        stale = send(401, headers=f"WWW-Authenticate: {CHALLENGE},stale=true", tag="c")
        steps = (recv("INVITE"), _challenge(401), recv("ACK"), recv("INVITE"), stale, recv("ACK"), recv("INVITE"))
        carrier = await Sipp.start(scenario(*steps, send(486), recv("ACK")))
        async with running() as engine:
            engine.call(carrier.port, username="acme", password="secret")
            assert (await engine.ended()).cause is Cause.BUSY
            assert (await carrier.finish()).successful == 1

    run(check())


def test_trunk_registers_with_digest_renews_and_withdraws() -> None:
    async def check() -> None:
        granted = send(200, headers="Contact: <sip:acme@127.0.0.1>;expires=2", contact=False)
        registrar = await Sipp.start(
            scenario(
                recv("REGISTER"), _challenge(401), recv("REGISTER"), granted,
                recv("REGISTER"), granted,
                recv("REGISTER"), granted,
            )
        )  # fmt: skip
        async with running() as engine:
            engine.port.set_trunks({1: trunk(registrar.port, username="acme", password="secret", register=True)})
            health = await engine.wait(TrunkHealth)
            assert (health.up, health.registered) == (True, True)
            await asyncio.sleep(1.4)  # renewed after half of the 2 s
        result = await registrar.finish(3)
        assert result.messages.count("\nREGISTER sip:") == 4
        assert _digest_is_right(result.messages, "REGISTER", "secret")
        assert "Expires: 300" in result.messages and "Expires: 0" in result.messages
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_refused_registration_is_told_and_tried_again() -> None:
    async def check() -> None:
        registrar = await Sipp.start(
            scenario(recv("REGISTER"), send(403, contact=False), recv("REGISTER"), send(200, contact=False)),
        )
        async with running() as engine:
            engine.port.set_trunks({1: trunk(registrar.port, username="acme", register=True)})
            down = await engine.wait(TrunkHealth)
            up = await engine.wait(TrunkHealth, count=2)
        await registrar.finish(1)
        assert (down.up, down.registered) == (False, False)
        assert "403" in down.detail
        assert (up.up, up.registered) == (True, True)

    run(check())


def test_options_tell_when_a_trunk_goes_and_comes_back() -> None:
    async def check() -> None:
        port = free_port()
        async with running(options_timeout_s=0.4) as engine:
            engine.port.set_trunks({1: trunk(port, options_every_s=0.3)})
            down = await engine.wait(TrunkHealth)
            carrier = await Sipp.start(scenario(recv("OPTIONS"), send_reply()), port=port, calls=2)
            up = await engine.wait(TrunkHealth, count=2)
            await carrier.finish(5)
            again = await engine.wait(TrunkHealth, count=3)
        assert (down.up, up.up, again.up) == (False, True, False)
        assert up.round_trip_ms is not None and up.round_trip_ms < 400
        assert "no answer" in again.detail

    run(check())


def test_trunk_over_tls_without_a_proxy_is_down_with_clear_words() -> None:
    async def check() -> None:
        async with running() as engine:
            engine.port.set_trunks({1: trunk(5061, transport=Transport.TLS)})
            health = await engine.wait(TrunkHealth)
        assert not health.up
        assert "outbound proxy" in health.detail

    run(check())


def test_unchanged_trunk_keeps_its_registration_when_others_change() -> None:
    async def check() -> None:
        registrar = await Sipp.start(scenario(recv("REGISTER"), send(200, contact=False)), calls=5)
        async with running() as engine:
            kept = trunk(registrar.port, username="acme", register=True)
            engine.port.set_trunks({1: kept})
            await engine.wait(TrunkHealth)
            engine.port.set_trunks({1: kept, 2: trunk(5060, trunk_id=2)})
            await asyncio.sleep(0.3)
            assert registrar.messages().count("\nREGISTER sip:") == 1
        await registrar.finish(0.3)

    run(check())


def test_retries_back_off_and_renewals_leave_room() -> None:
    assert [retry_after_s(n) for n in (1, 2, 3, 7, 50)] == [1.0, 2.0, 4.0, 60.0, 60.0]
    assert refresh_after_s(2) == 1.0
    assert all(refresh_after_s(s) < s for s in (2, 30, 60, 300, 3600))
