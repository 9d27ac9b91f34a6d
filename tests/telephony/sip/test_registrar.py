"""Phones register with us: SIPp on the wire for every way of it, baresip as a real phone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import replace
from hashlib import md5

import pytest

from callcenter.clock import wall_s
from callcenter.telephony.phones import PhoneCall, PhoneRegistered, PhoneSpec, Registration, ha1_of, realm_of
from callcenter.telephony.ports import Cause, LegAnswered, LegUpdated, MediaAddress, Sdp
from callcenter.telephony.sip.bindings import LONGEST_S, SHORTEST_S, Wish, contact_line, decide
from tests.sip.baresip import phone
from tests.sip.sipp import Sipp, SippResult, recv, scenario
from tests.telephony.sip.harness import LOCAL, Engine, run, running

pytestmark = [pytest.mark.interop, pytest.mark.promise("A1")]
NAME, PASSWORD = "acme-104217", "Tulip7Hammer2"
SPEC = PhoneSpec(5, NAME, ha1_of(NAME, PASSWORD))
SOURCE = ("192.0.2.30", 5062)


# ------------------------------------------------------------------------------------------------------------- pure


def wish(contact: str = "<sip:acme-104217@10.0.0.5:5060>", expires: int | None = 300, **more: object) -> Wish:
    fields = {"call_id": "c1", "cseq": 1, "source": SOURCE, "rport": True, **more}
    return Wish((contact,) if contact else (), expires, **fields)  # type: ignore[arg-type]


def placed(now: float = 1000.0, **more: object) -> Registration:
    found = decide(wish(**more), None, now).now  # type: ignore[arg-type]
    assert found is not None
    return found


def test_a_phone_behind_a_nat_is_called_where_its_packets_come_from() -> None:
    assert (placed().host, placed().port) == SOURCE
    assert (placed(rport=False).host, placed(rport=False).port) == SOURCE, "its Contact is not where it is"
    plain = placed(contact="<sip:a@192.0.2.30:5070>", rport=False)
    assert (plain.host, plain.port) == ("192.0.2.30", 5070), "it sends from one port and listens at another"
    assert placed(contact="<sip:a@192.0.2.99:5070>", rport=False).host == "192.0.2.30", "never at a third party's"


def test_how_long_a_registration_lasts() -> None:
    assert placed(expires=None).expires_at == 1300.0
    assert placed(expires=10**9).expires_at == 1000.0 + LONGEST_S
    assert placed(contact="<sip:a@10.0.0.5>;expires=120").expires_at == 1120.0, "the Contact's own counts"
    assert decide(wish(expires=SHORTEST_S - 1), None, 0.0).status == 423


def test_the_newest_device_has_the_phone_and_an_older_one_can_not_end_it() -> None:
    first = placed()
    second = decide(wish("<sip:a@10.0.0.6>", call_id="c2", source=("192.0.2.31", 5060)), first, 1010.0).now
    assert second is not None and second.host == "192.0.2.31"
    late = decide(wish(expires=0, cseq=2), second, 1020.0)
    assert (late.status, late.now) == (200, second)
    own = decide(wish("<sip:a@10.0.0.6>", expires=0, call_id="c2", cseq=2), second, 1020.0)
    assert (own.status, own.now) == (200, None)
    assert decide(wish("*", expires=0, cseq=9), second, 1020.0).now is None
    assert decide(wish("*", expires=60, cseq=9), second, 1020.0).status == 400
    assert decide(wish("", cseq=9), second, 1020.0).now == second, "a question"
    assert contact_line(second, 1020.0) == "<sip:a@10.0.0.6>;expires=290"


def test_a_renewal_keeps_since_when_and_one_out_of_order_changes_nothing() -> None:
    first = replace(placed(), answers=True)
    again = decide(wish(cseq=2), first, 1100.0).now
    assert again is not None and (again.since, again.expires_at, again.answers) == (1000.0, 1400.0, True)
    assert decide(wish(cseq=1), first, 1100.0).status == 500
    assert decide(wish("<mailto:a@example.com>", cseq=3), first, 1100.0).status == 400
    assert decide(wish("<sip:a@10.0.0.5:99999>", cseq=3), first, 1100.0).status == 400


def test_the_realm_follows_from_the_name_alone() -> None:
    assert [realm_of(n) for n in ("acme-104217", "big-shop-100001", "nobody")] == ["acme", "big-shop", ""]


# -------------------------------------------------------------------------------------------------------- the wire


def register(
    cseq: int, *, expires: int = 300, contact: str = "<sip:[field0]@[local_ip]:[local_port]>", auth: str = ""
) -> str:
    """One REGISTER of SIPp's; `auth`: whose password it answers the last challenge with."""
    credentials = f"[authentication username={NAME} password={auth}]\n" if auth else ""
    name = NAME
    text = (
        "REGISTER sip:[remote_ip]:[remote_port] SIP/2.0\n"
        f"Via: SIP/2.0/UDP [local_ip]:[local_port];rport;branch=z9hG4bK[pid]-[call_number]-{cseq}\n"
        "Max-Forwards: 70\n"
        f"From: <sip:{name}@[remote_ip]>;tag=[pid]R[call_number]\nTo: <sip:{name}@[remote_ip]>\n"
        f"Call-ID: [call_id]\nCSeq: {cseq} REGISTER\nContact: <sip:{name}@[local_ip]:[local_port]>\n"
        f"Expires: {expires}\nUser-Agent: SIPp desk\n{credentials}Content-Length: 0\n\n"
    )
    return f'<send retrans="500"><![CDATA[\n{text}\n]]></send>'


async def sipp(engine: Engine, *steps: str, calls: int = 1, rate: int = 10) -> SippResult:
    peer = await Sipp.start(scenario(*steps), remote=("127.0.0.1", engine.port.port), calls=calls, rate=rate)
    return await peer.finish()


def challenged() -> str:
    return recv(401, auth=True)


def test_a_phone_registers_renews_is_too_brief_and_unregisters() -> None:
    async def check() -> None:
        async with running() as engine:
            engine.port.set_phone(5, SPEC)
            result = await sipp(
                engine, register(1), challenged(), register(2, auth=PASSWORD), recv(200),
                register(3), challenged(), register(4, expires=30, auth=PASSWORD), recv(423),
                register(5), challenged(), register(6, expires=0, auth=PASSWORD), recv(200),
            )  # fmt: skip
            assert result.successful == 1, result.errors + result.messages[-3000:]
            assert 'realm="acme"' in result.messages and "min-expires: 60" in result.messages.lower()
            assert ";expires=300" in result.messages
            came, went = engine.of(PhoneRegistered)
            assert came.registration is not None and came.registration.user_agent == "SIPp desk"
            assert came.registration.host == "127.0.0.1" and went.registration is None

    run(check())


def test_wrong_passwords_are_refused_and_then_not_even_looked_at() -> None:
    async def check() -> None:
        async with running() as engine:
            engine.port.set_phone(5, SPEC)
            wrong = await sipp(
                engine, register(1), challenged(), register(2, auth="guess"), recv(403), calls=10, rate=50
            )
            assert wrong.successful == 10, wrong.errors
            locked = await sipp(engine, register(1), recv(403))
            assert locked.successful == 1, "the right password would not be looked at either"
            assert not engine.of(PhoneRegistered)
            other = PhoneSpec(6, "acme-200000", ha1_of("acme-200000", PASSWORD))
            engine.port.set_phone(6, other)
            async with phone(other.username, registrar=engine.port.port, password=PASSWORD):
                await engine.wait(PhoneRegistered)  # a phone beside it, at the same address

    run(check())


def test_an_answer_to_an_old_challenge_is_stale_and_is_asked_again() -> None:
    async def check() -> None:
        async with running() as engine:
            engine.port.set_phone(5, SPEC)
            uri, nonce = f"sip:127.0.0.1:{engine.port.port}", "1000000000.ab.0123456789abcdef0123456789abcdef"
            hashed = md5(f"{SPEC.ha1}:{nonce}:{md5(f'REGISTER:{uri}'.encode()).hexdigest()}".encode()).hexdigest()
            old = (
                f'Authorization: Digest username="{NAME}", realm="acme", nonce="{nonce}", uri="{uri}", '
                f'response="{hashed}", algorithm=MD5\n'
            )
            aged = register(1).replace("Content-Length", f"{old}Content-Length")
            result = await sipp(engine, aged, challenged(), register(2, auth=PASSWORD), recv(200))
            assert result.successful == 1, result.errors + result.messages[-3000:]
            assert "stale=true" in result.messages
            wrong = aged.replace(hashed, "0" * 32)
            assert (await sipp(engine, wrong, recv(403))).successful == 1, "nothing is told of the nonce"

    run(check())


def test_a_name_that_is_not_there_is_treated_as_a_wrong_password() -> None:
    async def check() -> None:
        async with running() as engine:
            result = await sipp(engine, register(1), challenged(), register(2, auth=PASSWORD), recv(403))
            assert result.successful == 1, result.errors
            assert 'realm="acme"' in result.messages

    run(check())


def test_a_flood_of_registrations_is_dropped_and_a_registered_phone_is_called_meanwhile() -> None:
    async def check() -> None:
        async with running() as engine:
            engine.port.set_phone(5, SPEC)
            stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with contextlib.closing(stranger):
                stranger.bind(("127.0.0.2", 0))
                async with phone(NAME, registrar=engine.port.port, password=PASSWORD) as desk:
                    await engine.wait(PhoneRegistered)
                    for i in range(3000):
                        text = (
                            f"REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK{i}\r\n"
                            f"From: <sip:{100 + i}@127.0.0.1>;tag=a\r\nTo: <sip:{100 + i}@127.0.0.1>\r\n"
                            f"Call-ID: {i}\r\nCSeq: 1 REGISTER\r\nContact: <sip:x@127.0.0.2>\r\n"
                            "Content-Length: 0\r\n\r\n"
                        )
                        stranger.sendto(text.encode(), ("127.0.0.1", engine.port.port))
                        if i % 100 == 0:
                            await asyncio.sleep(0)
                    engine.port.call_phone("leg", 5, "desk", "Call centre", LOCAL, 10.0)
                    await engine.wait(LegAnswered)
                    stranger.setblocking(False)
                    answers = 0
                    with contextlib.suppress(BlockingIOError):
                        while stranger.recv(4096):
                            answers += 1
                    assert answers <= 40, "of 3000 a handful was looked at"
                    await desk.command("hangup")
                    await engine.ended()

    run(check())


# ------------------------------------------------------------------------------------------------------- real phone


@pytest.fixture
def rtp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        found.setblocking(False)
        yield found


def test_a_registered_baresip_answers_by_itself_holds_and_hangs_up(rtp: socket.socket) -> None:
    async def check() -> None:
        async with running(ask_phones_every_s=0.2) as engine:
            engine.port.set_phone(5, SPEC)
            async with phone(NAME, registrar=engine.port.port, password=PASSWORD) as desk:
                came = (await engine.wait(PhoneRegistered)).registration
                assert came is not None and came.user_agent.startswith("baresip") and came.port == desk.port
                asked = (await engine.wait(PhoneRegistered, count=2)).registration
                assert asked is not None and asked.answers is True, "it answered OPTIONS"
                local = Sdp(MediaAddress("127.0.0.1", rtp.getsockname()[1]))
                engine.port.call_phone("leg", 5, "desk", "Call centre", local, 10.0)
                assert (await engine.wait(LegAnswered)).dialog.trunk_id == 0
                await desk.command("hold")
                assert (await engine.wait(LegUpdated)).sdp.direction in ("sendonly", "inactive")
                await desk.command("resume")
                assert (await engine.wait(LegUpdated, count=2)).sdp.direction == "sendrecv"
                await desk.command("hangup")
                assert (await engine.ended()).cause is Cause.NORMAL

    run(check())


def test_what_is_dialed_on_a_registered_phone_is_proved_by_its_password() -> None:
    async def check() -> None:
        async with running() as engine:
            engine.port.set_phone(5, SPEC)
            async with phone(NAME, registrar=engine.port.port, password=PASSWORD) as desk:
                await engine.wait(PhoneRegistered)
                await desk.command("dial", f"sip:13812345678@127.0.0.1:{engine.port.port}")
                call = await engine.wait(PhoneCall)
                assert (call.phone_id, call.to_number) == (5, "13812345678")
                engine.port.accept(call.leg_id, LOCAL)
                await engine.wait(LegAnswered, call.leg_id)
                engine.port.hangup(call.leg_id)
                await engine.ended(call.leg_id)

    run(check())


def test_a_successor_calls_a_phone_where_it_was_and_another_password_ends_the_registration() -> None:
    async def check() -> None:
        async with running() as engine:
            engine.port.set_phone(5, SPEC)
            async with phone(NAME, registrar=engine.port.port, password=PASSWORD):
                known = (await engine.wait(PhoneRegistered)).registration
                assert known is not None
                async with running() as successor:
                    successor.port.set_phone(5, SPEC)
                    with pytest.raises(KeyError):
                        successor.port.call_phone("leg", 5, "desk", "Call centre", LOCAL, 10.0)
                    successor.port.restore_phone(5, known)
                    successor.port.call_phone("leg", 5, "desk", "Call centre", LOCAL, 10.0)
                    await successor.wait(LegAnswered)
                    successor.port.hangup("leg")
                    await successor.ended()
                    successor.port.set_phone(5, PhoneSpec(5, NAME, ha1_of(NAME, "another")))
                    assert (await successor.wait(PhoneRegistered)).registration is None
                    successor.port.set_phone(5, SPEC)
                    successor.port.restore_phone(5, replace(known, expires_at=wall_s()))
                    gone = await successor.wait(PhoneRegistered, count=2)
                    assert gone.registration is None, "it has expired"

    run(check())
