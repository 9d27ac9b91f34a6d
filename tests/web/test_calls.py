"""Calls, recordings and agents through the API."""

from __future__ import annotations

import io
import threading
import wave
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import select

from callcenter import wire
from callcenter.acd.views import AgentView
from callcenter.audit.models import AuditEntry
from callcenter.auth.models import Role, UserRole
from callcenter.calls.models import FactRow, Recording
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.events import streams
from callcenter.events.envelope import Envelope
from crm.models import Disposition
from tests.dialer.floor import add_call
from tests.recordings.conftest import stereo, tone, write_wav
from tests.web.conftest import Browser, add_user

NOW = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)


def signed_in(browser: Callable[[], Browser], name: str) -> Browser:
    b = browser()
    assert b.sign_in("acme", name).status_code == 200
    return b


def ids_of(b: Browser, query: str) -> list[str]:
    answer = b.get(f"/api/calls?{query}")
    assert answer.status_code == 200, answer.get_json()
    return [c["id"] for c in answer.get_json()["items"]]


def test_calls_are_found_by_day_agent_outcome_and_number(owner: Browser, enterprise: int) -> None:
    lin = add_user(enterprise, "lin", "agent")
    early = add_call(enterprise, NOW - timedelta(days=1), outcome="busy")
    late = add_call(enterprise, NOW, agent_id=lin, outcome="connected", connected_at=NOW, phone_e164="+8613911112222")
    assert ids_of(owner, "") == [late, early]
    assert ids_of(owner, "from=2026-03-10T00:00:00Z") == [late]
    assert ids_of(owner, "to=2026-03-10T00:00:00%2B00:00") == [early]
    assert ids_of(owner, f"agent_id={lin}") == [late]
    assert ids_of(owner, "outcome=busy") == [early]
    assert ids_of(owner, "connected=true") == [late]
    for number in ("1391111", "%2B86 139 1111 2222", "2222"):
        assert ids_of(owner, f"phone={number}") == [late]
    assert ids_of(owner, "phone=%2B1391111") == []
    assert owner.get("/api/calls?from=yesterday").status_code == 422


@pytest.mark.promise("E5")
def test_an_agent_sees_the_own_calls_only(owner: Browser, enterprise: int, browser: Callable[[], Browser]) -> None:
    lin, mei = add_user(enterprise, "lin", "agent"), add_user(enterprise, "mei", "agent")
    own = add_call(enterprise, NOW, agent_id=lin)
    other = add_call(enterprise, NOW, agent_id=mei)
    add_call(enterprise, NOW)
    b = signed_in(browser, "lin")
    assert ids_of(b, "") == [own]
    assert ids_of(b, f"agent_id={mei}") == []
    assert b.get(f"/api/calls/{other}").status_code == 404


def test_numbers_are_masked_for_those_who_may_not_see_them(
    owner: Browser, enterprise: int, browser: Callable[[], Browser]
) -> None:
    user = add_user(enterprise, "ann")
    with tenant_session(enterprise) as s:
        role = Role(name="Auditor", permissions=["calls.read"], data_scope="all")
        s.add(role)
        s.flush()
        s.add(UserRole(user_id=user, role_id=role.id))
    add_call(enterprise, NOW)
    [call] = signed_in(browser, "ann").get("/api/calls").get_json()["items"]
    assert call["phone"] == "+86138****000"


def test_the_time_line_of_a_call_is_its_facts_in_order(owner: Browser, enterprise: int) -> None:
    lin = add_user(enterprise, "lin", "agent")
    call = add_call(enterprise, NOW, agent_id=lin, outcome="connected")
    with tenant_session(enterprise) as s:
        for i, (kind, body) in enumerate(
            [
                ("call.started", {"phone_e164": "+8613800138000", "mode": "predictive", "agent_id": None}),
                ("call.connected", {"agent_id": lin, "wait_ms": 12}),
                ("call.ended", {"outcome": "connected", "hung_up_by": "customer", "agent_id": lin}),
            ]
        ):
            at = NOW + timedelta(seconds=i)
            s.add(FactRow(id=f"F{2 - i}", type=kind, version=1, call_id=call, at=at, body=body))
    found = owner.get(f"/api/calls/{call}").get_json()["timeline"]
    assert [(e["type"], e["who"]) for e in found] == [
        ("call.started", ""), ("call.connected", "Lin"), ("call.ended", "Lin"),
    ]  # fmt: skip
    assert found[1]["params"] == {"wait_ms": 12}
    assert "+8613800138000" not in str(found)


# --------------------------------------------------------------------------------------------------- recordings


@pytest.fixture
def recorded(enterprise: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A call of `lin` with a growing recording R1 of 2 s; returns the call's id."""
    monkeypatch.setenv("CALLCENTER_VAR", str(tmp_path))
    lin = add_user(enterprise, "lin", "agent")
    call = add_call(enterprise, NOW, agent_id=lin, outcome="connected")
    write_wav(tmp_path / "recordings/live/R1.wav", stereo(tone(440, 2), tone(1000, 2)), header_bytes=0)
    with tenant_session(enterprise) as s:
        s.add(Recording(id="R1", call_id=call, path="live/R1.wav", state="growing", started_at=NOW))
    return call


def audited(tenant: int) -> list[tuple[str, str, str]]:
    with tenant_session(tenant) as s:
        rows = s.scalars(select(AuditEntry).where(AuditEntry.entity == "recording").order_by(AuditEntry.id))
        return [(r.action, r.entity_id, r.actor_name) for r in rows]


@pytest.mark.promise("V3")
def test_a_recording_plays_in_ranges_and_a_playback_is_audited_once(
    owner: Browser, enterprise: int, recorded: str
) -> None:
    whole = owner.get("/api/recordings/R1/audio")
    assert (whole.status_code, whole.headers["Accept-Ranges"], whole.mimetype) == (200, "bytes", "audio/wav")
    with wave.open(io.BytesIO(whole.data)) as heard:
        assert (heard.getnchannels(), heard.getnframes()) == (2, 16000)
    part = owner.get("/api/recordings/R1/audio", headers={"Range": "bytes=1000-1999"})
    assert part.status_code == 206
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(whole.data)}"
    assert part.data == whole.data[1000:2000]
    beyond = owner.get("/api/recordings/R1/audio", headers={"Range": "bytes=999999-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(whole.data)}")
    assert [a[:2] for a in audited(enterprise)] == [("play", "R1")]


def test_downloads_need_a_permission_of_their_own_and_each_is_audited(
    owner: Browser, enterprise: int, recorded: str, browser: Callable[[], Browser]
) -> None:
    lin = signed_in(browser, "lin")
    assert lin.get("/api/recordings/R1/audio").status_code == 200
    assert lin.get("/api/recordings/R1/download").status_code == 403
    for _ in range(2):
        answer = owner.get("/api/recordings/R1/download")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="20260310-040000-{recorded}.wav"'
    assert [a[0] for a in audited(enterprise)] == ["play", "download", "download"]


def test_a_recording_of_somebody_elses_call_does_not_exist(
    owner: Browser, enterprise: int, recorded: str, browser: Callable[[], Browser]
) -> None:
    add_user(enterprise, "mei", "agent")
    mei = signed_in(browser, "mei")
    for what in ("audio", "peaks"):
        assert mei.get(f"/api/recordings/R1/{what}").status_code == 404
    assert audited(enterprise) == []


def test_the_waveform_and_a_lost_file(owner: Browser, recorded: str, tmp_path: Path) -> None:
    found = owner.get("/api/recordings/R1/peaks").get_json()
    assert found["seconds"] == 2.0 and len(found["agent"]) == len(found["customer"]) == 800
    (tmp_path / "recordings/live/R1.wav").unlink()
    for what in ("audio", "peaks"):
        answer = owner.get(f"/api/recordings/R1/{what}")
        assert (answer.status_code, answer.get_json()["code"]) == (404, "recording_missing")
    [call] = owner.get("/api/calls").get_json()["items"]
    assert [r["id"] for r in call["recordings"]] == ["R1"]


# ------------------------------------------------------------------------------------------------------- agents


class EngineDouble(threading.Thread):
    """Takes commands off the stream as the engine does, keeps them, and answers `reply`."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__(daemon=True)
        self.client, self.got, self.reply, self.running = client, list[Envelope](), {"ok": None}, True

    def run(self) -> None:
        last = "0"
        while self.running:
            answer: Any = self.client.xread({streams.commands_stream("engine-1"): last}, block=50)
            for _, entries in answer or []:
                for entry_id, fields in entries:
                    last = entry_id
                    envelope = wire.from_json(fields[b"e"], Envelope)
                    self.got.append(envelope)
                    self.client.rpush(streams.reply_key(envelope.id), wire.to_json(self.reply))


@pytest.fixture
def engine(redis_client: redis.Redis) -> Iterator[EngineDouble]:
    """An engine that says yes."""
    double = EngineDouble(redis_client)
    double.start()
    yield double
    double.running = False
    double.join(5)


def test_what_the_agent_asks_reaches_the_engine_under_the_own_name(
    owner: Browser, enterprise: int, browser: Callable[[], Browser], engine: EngineDouble
) -> None:
    lin_id = add_user(enterprise, "lin", "agent")
    lin = signed_in(browser, "lin")
    for path, body in (
        ("state", {"state": "paused", "reason": "meal"}),
        ("pause-after", {"on": True}),
        ("call/hold", {"on": True}),
        ("call/dtmf", {"digits": "12#"}),
        ("call/hangup", {}),
        ("call/preview", {"dial": False}),
    ):
        assert lin.post(f"/api/agent/{path}", body).status_code == 200
    kinds = ["agent.state", "agent.pause_after", "call.hold", "call.dtmf", "call.hangup", "preview.answer"]
    assert [e.type for e in engine.got] == kinds
    assert {(e.tenant, e.body["user_id"]) for e in engine.got} == {(enterprise, lin_id)}
    assert engine.got[0].body == {"user_id": lin_id, "state": "paused", "reason": "meal"}


def test_the_engines_refusal_reaches_the_agent_as_it_is(
    owner: Browser, enterprise: int, browser: Callable[[], Browser], engine: EngineDouble
) -> None:
    add_user(enterprise, "lin", "agent")
    engine.reply = {"error": {"code": "agent.no_call", "message": "There is no call.", "status": 409}}
    answer = signed_in(browser, "lin").post("/api/agent/call/hangup")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "agent.no_call")


def test_a_callback_outcome_needs_a_time_in_the_future(
    owner: Browser, enterprise: int, browser: Callable[[], Browser], engine: EngineDouble
) -> None:
    add_user(enterprise, "lin", "agent")
    with tenant_session(enterprise) as s:
        row = Disposition(code="later", name="Later", name_zh="稍后", callback=True)
        s.add(row)
        s.flush()
        outcome = {"call_id": "C1", "disposition_id": row.id, "note": "rings back"}
    lin = signed_in(browser, "lin")
    path = "/api/agent/call/disposition"
    for wrong in (None, 1577836800.0):
        answer = lin.post(path, {**outcome, "callback_at": wrong})
        assert (answer.status_code, list(answer.get_json()["fields"])) == (422, ["callback_at"])
    due = utc_now().timestamp() + 3600
    assert lin.post(path, {**outcome, "callback_at": due}).status_code == 200
    [sent] = engine.got
    assert sent.body["callback_at"] == due and sent.body["note"] == "rings back"
    assert lin.post(path, {**outcome, "disposition_id": 4711}).get_json()["code"] == "disposition.gone"


def test_the_desk_opens_with_the_newest_state_and_the_days_figures(
    owner: Browser, enterprise: int, browser: Callable[[], Browser]
) -> None:
    lin_id, mei_id = add_user(enterprise, "lin", "agent"), add_user(enterprise, "mei", "agent")
    with tenant_session(enterprise) as s:
        sale = Disposition(code="won", name="Won", name_zh="赢", sale=True)
        s.add(sale)
        s.flush()
        won = sale.id
    now = utc_now()
    add_call(enterprise, now, agent_id=lin_id, connected_at=now, talk_s=60, disposition_id=won)
    add_call(enterprise, now, agent_id=lin_id, connected_at=now, talk_s=30)
    add_call(enterprise, now, agent_id=mei_id, connected_at=now, talk_s=10)
    add_call(enterprise, now - timedelta(days=2), agent_id=lin_id, connected_at=now, talk_s=999)
    lin = signed_in(browser, "lin")
    assert lin.get("/api/agents/me").get_json()["view"]["state"] == "offline"
    streams.publish(enterprise, f"agent:{lin_id}", AgentView(lin_id, "Lin", 7, "paused", 1.0, reason="meal"))
    found = lin.get("/api/agents/me").get_json()
    assert (found["view"]["state"], found["view"]["reason"], found["view"]["seq"]) == ("paused", "meal", 7)
    day = found["day"]
    assert (day["calls"], day["connected"], day["talk_s"], day["sales"]) == (2, 2, 90, 1)
    assert (day["place"], day["of"], day["average_talk_s"]) == (1, 2, 45)


def test_the_board_shows_everybody_with_a_phone_offline_where_nothing_was_told(
    owner: Browser, enterprise: int, browser: Callable[[], Browser]
) -> None:
    lin_id = add_user(enterprise, "lin", "agent")
    streams.publish(enterprise, f"agent:{lin_id}", AgentView(lin_id, "Lin", 1, "available", 1.0))
    agents = {a["name"]: a["state"] for a in owner.get("/api/agents/board").get_json()["agents"]}
    assert agents["Lin"] == "available"
    assert set(agents.values()) == {"available", "offline"}
    assert signed_in(browser, "lin").get("/api/agents/board").status_code == 403
