"""Prompts through the API: uploaded, spoken, heard, replaced, and kept while something plays them."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, text

from callcenter.audit.models import AuditEntry
from callcenter.db.outbox import OutboxRow
from callcenter.db.session import platform_session, tenant_session
from callcenter.processes import documents
from tests.web.conftest import Browser, add_user


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("CALLCENTER_VAR", str(tmp_path))
    yield tmp_path


def a_wav(hz: float = 400.0, seconds: float = 1.0) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        t = np.arange(int(16000 * seconds)) / 16000
        file.writeframes((8000 * np.sin(2 * np.pi * hz * t)).astype("<i2").tobytes())
    return target.getvalue()


def upload(b: Browser, name: str, sound: bytes, language: str = "en", kind: str = "upload") -> Any:
    return b.client.post(
        f"/api/prompts/upload?name={name}&language={language}&kind={kind}", data=sound, headers={"X-CSRFToken": b.token}
    )


@pytest.mark.promise("I2")
def test_a_sound_is_uploaded_heard_replaced_and_deleted(owner: Browser, enterprise: int, var: Path) -> None:
    made = upload(owner, "Welcome", a_wav())
    assert made.status_code == 201
    prompt = made.get_json()
    assert (prompt["name"], prompt["kind"], prompt["language"]) == ("Welcome", "upload", "en")
    assert prompt["seconds"] == pytest.approx(1.0, abs=0.1)
    first = owner.get(f"/api/prompts/{prompt['id']}/audio")
    with wave.open(io.BytesIO(first.data)) as file:
        assert (file.getframerate(), file.getnchannels()) == (8000, 1)
    part = owner.get(f"/api/prompts/{prompt['id']}/audio", headers={"Range": "bytes=0-99"})
    assert (part.status_code, part.data) == (206, first.data[:100])
    assert owner.get(f"/api/prompts/listen?prompt=prompt:{prompt['id']}").data == first.data

    again = owner.client.put(
        f"/api/prompts/{prompt['id']}/audio?kind=recorded", data=a_wav(900.0), headers={"X-CSRFToken": owner.token}
    ).get_json()
    assert again["kind"] == "recorded" and again["sha256"] != prompt["sha256"]
    assert owner.get(f"/api/prompts/{prompt['id']}/audio").data != first.data
    with tenant_session(enterprise) as db:
        [(_, _, doc)] = documents.changed(db, "prompt", prompt["id"])
        assert doc is not None and (var / doc["path"]).is_file() and doc["language"] == "en"
        told = list(db.scalars(select(OutboxRow.body).where(OutboxRow.topic == "settings")))
        assert {"entity": "prompt", "id": prompt["id"]} in told
        audited = list(
            db.scalars(select(AuditEntry.action).where(AuditEntry.entity == "prompt").order_by(AuditEntry.id))
        )
        assert audited == ["create", "update"]

    assert owner.delete(f"/api/prompts/{prompt['id']}").status_code == 204
    assert owner.get(f"/api/prompts/{prompt['id']}").status_code == 404
    with tenant_session(enterprise) as db:
        assert documents.changed(db, "prompt", prompt["id"]) == [("prompt", prompt["id"], None)]


def test_a_text_is_heard_before_it_is_kept(owner: Browser) -> None:
    heard = owner.post("/api/prompts/speak", {"text": "您好，欢迎致电。", "language": "zh"})
    assert heard.mimetype == "audio/wav" and len(heard.data) > 8000
    made = owner.post("/api/prompts", {"name": "欢迎", "text": " 您好，\n欢迎致电。 ", "language": "zh"}).get_json()
    assert (made["kind"], made["text"], made["language"]) == ("spoken", "您好， 欢迎致电。", "zh")
    body = {"text": "Hello.", "language": "en", "voice": made["voice"]}
    assert owner.post("/api/prompts/speak", body).get_json()["fields"].keys() == {"voice"}
    respoken = owner.call("PUT", f"/api/prompts/{made['id']}/text", {"text": "再见。", "language": "zh"}).get_json()
    assert respoken["text"] == "再见。" and respoken["sha256"] != made["sha256"]
    assert owner.post("/api/prompts/speak", {"text": "  ", "language": "en"}).get_json()["fields"].keys() == {"text"}


def test_a_name_is_used_once_and_said_beside_the_field(owner: Browser) -> None:
    made = upload(owner, "Music", a_wav(), language="").get_json()
    assert upload(owner, "Music", a_wav()).get_json()["fields"].keys() == {"name"}
    changed = owner.patch(f"/api/prompts/{made['id']}", {"name": "Music 2", "language": ""}).get_json()
    assert changed["name"] == "Music 2"
    found = owner.get("/api/prompts?search=music&language=zh").get_json()
    assert [p["name"] for p in found["items"]] == ["Music 2"], "music is for every language"
    assert owner.get("/api/prompts?kind=spoken").get_json()["total"] == 0


def test_a_file_that_is_no_sound_says_so(owner: Browser) -> None:
    answer = upload(owner, "Bad", b"nonsense")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "not_a_sound")
    assert answer.get_json()["fields"].keys() == {"file"}
    assert owner.get("/api/prompts").get_json()["total"] == 0


@pytest.mark.promise("I2")
def test_a_prompt_that_is_played_somewhere_stays(owner: Browser, enterprise: int) -> None:
    prompt = upload(owner, "Hold", a_wav()).get_json()["id"]
    with platform_session() as db:
        db.execute(
            text("INSERT INTO queue (tenant_id, name, waiting) VALUES (:t, 'Sales', CAST(:w AS jsonb))"),
            {"t": enterprise, "w": f'{{"music": "prompt:{prompt}"}}'},
        )
        db.execute(
            text("INSERT INTO queue (tenant_id, name, waiting) VALUES (:t, 'Other', CAST(:w AS jsonb))"),
            {"t": enterprise, "w": f'{{"music": "prompt:{prompt}7"}}'},
        )
        db.execute(
            text("UPDATE user_account SET voicemail_greeting = :g WHERE username = 'boss'"), {"g": f"prompt:{prompt}"}
        )
    used = owner.get(f"/api/prompts/{prompt}/uses").get_json()["uses"]
    assert [(u["kind"], u["name"]) for u in used] == [("queue", "Sales"), ("user", "boss")]
    refused = owner.delete(f"/api/prompts/{prompt}")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "prompt_used")
    assert "Sales" in refused.get_json()["message"]


def test_what_comes_with_the_installation_can_be_heard_too(owner: Browser) -> None:
    choices = owner.get("/api/prompts/choices").get_json()
    assert {"hold_music", "voicemail"} <= set(choices["installed"])
    assert {v["language"] for v in choices["voices"]} == {"en", "zh"}
    for prompt in ("hold_music", "voicemail", "tone:beep", "silence:300", "say:en:Hello"):
        answer = owner.get(f"/api/prompts/listen?prompt={prompt}")
        with wave.open(io.BytesIO(answer.data)) as file:
            assert file.getframerate() == 8000 and file.getnframes() > 0, prompt
    assert owner.get("/api/prompts/listen?prompt=no_such").status_code == 404
    assert owner.get("/api/prompts/listen?prompt=../../etc").status_code == 422
    assert owner.get("/api/prompts/listen?prompt=prompt:999").status_code == 404


def test_an_agent_hears_prompts_and_changes_none(
    owner: Browser, browser: Callable[[], Browser], enterprise: int
) -> None:
    prompt = upload(owner, "Hello", a_wav()).get_json()["id"]
    add_user(enterprise, "ann", "agent")
    ann = browser()
    ann.sign_in("acme", "ann")
    assert ann.get(f"/api/prompts/{prompt}/audio").status_code == 200
    assert ann.delete(f"/api/prompts/{prompt}").status_code == 403
    assert upload(ann, "Mine", a_wav()).status_code == 403


@pytest.mark.promise("I6")
def test_an_agents_own_greeting_reaches_the_engine(
    owner: Browser, browser: Callable[[], Browser], enterprise: int
) -> None:
    prompt = upload(owner, "Ann speaking", a_wav()).get_json()["id"]
    user = add_user(enterprise, "ann", "agent")
    ann = browser()
    ann.sign_in("acme", "ann")
    assert ann.get("/api/voicemail/greeting").get_json() == {"greeting": ""}
    for greeting in (f"prompt:{prompt}", "say:zh:我是安。", ""):
        assert ann.call("PUT", "/api/voicemail/greeting", {"greeting": greeting}).get_json() == {"greeting": greeting}
        with tenant_session(enterprise) as db:
            [(_, _, doc)] = documents.changed(db, "user", user)
            assert doc is not None and doc["voicemail_greeting"] == greeting
    for wrong in ("prompt:9999", "tone:beep", "../../x", "say:en: "):
        answer = ann.call("PUT", "/api/voicemail/greeting", {"greeting": wrong})
        assert answer.get_json()["fields"].keys() == {"greeting"}, wrong
