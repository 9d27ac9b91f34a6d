"""Live documents through the real web process: gunicorn, gevent, WebSocket, Valkey."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from callcenter import wire
from callcenter.auth.models import User
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.tenancy.actions import open_enterprise
from tests.web.conftest import PASSWORD, add_user
from tests.web.serving import Refused, Visitor, web_process
from web.sockets.topics import allowed


@pytest.fixture(scope="module")
def running(postgres: object, valkey: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One web process for these tests; what it holds of a test ends with the test's sockets."""
    with web_process(tmp_path_factory.mktemp("web")) as address:
        yield address


@pytest.fixture
def address(running: str, database: object, redis_client: object, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(streams, "_client", None)
    with platform_session() as session:
        for code in ("acme", "rival"):
            open_enterprise(session, code, code, "CN", "Asia/Shanghai", "boss", PASSWORD)
    return running


def visitor(address: str, enterprise: str, username: str) -> Visitor:
    v = Visitor(address)
    v.sign_in(enterprise, username, PASSWORD)
    return v


def commands(redis_client: redis.Redis) -> list[dict[str, Any]]:
    entries: Any = redis_client.xrange("commands:engine-1")
    return [wire.from_json(values[b"e"], dict[str, Any]) for _, values in entries]


def test_a_follower_gets_the_newest_document_then_each_change_and_a_stranger_none(address: str) -> None:
    streams.publish(1, "campaign:3", {"seq": 1})
    ours, theirs = visitor(address, "acme", "boss").socket(), visitor(address, "rival", "boss").socket()
    assert ours.subscribe("campaign:3", "campaign:4")["docs"] == {"campaign:3": {"seq": 1}, "campaign:4": None}
    assert theirs.subscribe("campaign:3")["docs"] == {"campaign:3": None}
    streams.publish(1, "campaign:3", {"seq": 2})
    assert ours.doc() == {"topic": "campaign:3", "doc": {"seq": 2}}
    streams.publish(2, "campaign:3", {"seq": 9})
    assert theirs.doc()["doc"] == {"seq": 9}
    assert ours.docs == []


def test_an_agent_follows_only_the_own_document_and_a_supervisor_all_of_them(address: str) -> None:
    ann, sue = add_user(1, "ann", "agent"), add_user(1, "sue", "supervisor")
    agent, supervisor = visitor(address, "acme", "ann").socket(), visitor(address, "acme", "sue").socket()
    assert agent.subscribe(f"agent:{ann}", f"agent:{sue}", "agents", "import:1")["denied"] == [
        f"agent:{sue}",
        "agents",
        "import:1",
    ]
    streams.publish(1, f"agent:{ann}", {"seq": 1})
    assert agent.doc()["doc"] == {"seq": 1}
    assert supervisor.subscribe("agents")["docs"] == {"agents": {f"agent:{ann}": {"seq": 1}}}
    streams.publish(1, f"agent:{ann}", {"seq": 2})
    assert supervisor.doc() == {"topic": f"agent:{ann}", "doc": {"seq": 2}, "part_of": "agents"}


def test_numbers_are_masked_for_a_role_that_does_not_show_them(address: str) -> None:
    ann = add_user(1, "ann", "agent")
    with tenant_session(1) as session:
        role = session.get_one(User, ann).roles[0]
        role.permissions = [p for p in role.permissions if p != "numbers.unmasked"]
    streams.publish(1, f"agent:{ann}", {"call": {"phone_e164": "+8613812345678"}})
    socket = visitor(address, "acme", "ann").socket()
    answer = socket.subscribe(f"agent:{ann}")
    assert answer["docs"][f"agent:{ann}"]["call"]["phone_e164"] == "+86138••••678"
    streams.publish(1, f"agent:{ann}", {"call": {"phone_e164": "+8613812345678"}})
    assert socket.doc()["doc"]["call"]["phone_e164"] == "+86138••••678"


def test_nobody_gets_in_without_a_session_and_an_ended_one_is_thrown_out(address: str) -> None:
    with pytest.raises(Refused):
        Visitor(address).socket()
    owner = visitor(address, "acme", "boss")
    socket = owner.socket()
    assert owner.call("POST", "/api/auth/sign-out")[0] == 204
    assert socket.ended()


def test_the_engine_hears_of_the_first_and_the_last_socket_of_an_agent(address: str, redis_client: redis.Redis) -> None:
    ann = add_user(1, "ann", "agent")
    v = visitor(address, "acme", "ann")
    first, second = v.socket(), v.socket()
    first.subscribe(f"agent:{ann}")
    first.close()
    second.subscribe(f"agent:{ann}")
    assert [c["body"] for c in commands(redis_client)] == [{"user_id": ann, "online": True}] * 2
    second.close()
    end = time.monotonic() + 5
    while time.monotonic() < end and commands(redis_client)[-1]["body"]["online"]:
        time.sleep(0.05)
    assert commands(redis_client)[-1]["body"] == {"user_id": ann, "online": False}


def test_after_valkey_was_away_followers_get_the_newest_documents(address: str, redis_client: redis.Redis) -> None:
    socket = visitor(address, "acme", "boss").socket()
    socket.subscribe("campaign:3")
    redis_client.client_kill_filter(_type="normal", skipme=True)
    time.sleep(0.3)
    streams.publish(1, "campaign:3", {"seq": 7})
    assert socket.doc()["doc"] == {"seq": 7}


def test_topics_are_refused_unless_they_are_named() -> None:
    everything = {"board.read", "campaigns.read", "lists.import", "trunks.read"}
    assert allowed("agent:7", 7, set())
    assert not allowed("agent:8", 7, set())
    assert allowed("agent:8", 7, everything)
    assert allowed("agents", 7, everything)
    assert not allowed("agents:1", 7, everything)
    assert not allowed("campaign", 7, everything)
    assert not allowed("secrets:1", 7, everything)
    assert not allowed("campaign:" + "9" * 100, 7, everything)
    assert allowed("trunks", 7, {"trunks.read"})
    assert allowed("trunks", 7, {"board.read"}), "boards have a tile for them"
    assert not allowed("trunks", 7, {"campaigns.read"})
