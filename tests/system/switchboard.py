"""An enterprise that is called: a number that leads to a menu of two levels, its queues and their agents, by which what
callers hear can be told apart by tones.

    +86 21 5555 0100   menu "Welcome" (300 Hz): 1 Sales, 2 → "Service" (400 Hz): 1 Repairs, 2 Billing, 9 a message
    +86 21 5555 0102   queue Repairs at once
    +86 21 5555 0103   agent 1's own number
    +86 21 5555 0109   the enterprise's voicemail

Who waits hears music (500 Hz), and every few seconds something else. Agent 1 answers Repairs, agent 2 Sales, unless
`queues` says otherwise. The callers' trunk is this host's address.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import wave
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.acd.models import Queue, QueueMember
from callcenter.audit.models import Actor
from callcenter.auth import passwords
from callcenter.auth.models import Role, User, UserRole
from callcenter.db.models import load_all
from callcenter.db.outbox import settings_changed
from callcenter.db.session import engine, platform_session, tenant_session
from callcenter.numbers.models import DidNumber
from callcenter.prompts.models import Prompt
from callcenter.telephony.models import TrunkRow
from callcenter.tenancy.actions import open_enterprise
from crm.models import Customer, Disposition
from dialer.actions import defaults
from ivr import actions as flows
from tests.system.callers import Callers
from tests.system.headset import Headset
from tests.system.installation import PASSWORD, Installation
from tests.system.office import until

WELCOME_HZ, SERVICE_HZ, MUSIC_HZ, GREETING_HZ = 300.0, 400.0, 500.0, 700.0
TO_MENU, TO_REPAIRS, TO_AGENT, TO_VOICEMAIL = ("+8621555501" + end for end in ("00", "02", "03", "09"))
SALES, REPAIRS, BILLING = "Sales", "Repairs", "Billing"
KNOWN_NAME = "Customer Known"


@dataclass
class Switchboard:
    """`queues`: queue → numbers of its agents (from 1); `settings`: columns of all queues."""

    installation: Installation
    agents: int = 2
    queues: Mapping[str, Sequence[int]] = field(default_factory=lambda: {SALES: (2,), REPAIRS: (1,), BILLING: (2,)})
    settings: Mapping[str, Any] = field(default_factory=dict)
    waiting: Mapping[str, Any] = field(default_factory=dict)
    customers: Sequence[str] = ()  # numbers of known customers
    carrier_port: int = 5070  # where third numbers are called
    tenant: int = 0
    ids: dict[str, int] = field(default_factory=dict)  # name of a queue, menu, user … → id

    def build(self) -> Switchboard:
        """Write it all; returns when the engine can know it."""
        load_all()
        assert defaults.DISPOSITIONS
        with database_of(self.installation):
            with platform_session() as session:
                self.tenant = open_enterprise(session, "acme", "Acme", "CN", "Asia/Shanghai", "owner", PASSWORD)
            with tenant_session(self.tenant) as session:
                last = self._fill(session)
        cfg = f"cfg:{self.tenant}"
        until(lambda: self.installation.redis().hexists(cfg, last), "the relay has written the settings")
        return self

    # ------------------------------------------------------------------------------------------------------------ rows

    def _fill(self, session: Session) -> str:
        """The rows; returns the name of the last document told to the engine."""
        trunk = TrunkRow(
            name="carrier", host="127.0.0.1", port=self.carrier_port, channels=300, calls_per_second=100,
            caller_ids=[TO_MENU], options_every_s=0, inbound=True, inbound_channels=300, inbound_calls_per_second=0,
        )  # fmt: skip
        session.add(trunk)
        for number in self.customers:
            session.add(Customer(name=KNOWN_NAME, phones=[number], company="Silk Road Trading", vip=True))
        session.flush()
        self.ids["trunk"] = trunk.id
        self._people(session)
        sounds = {
            name: self._sound(session, name, hz)
            for name, hz in (
                ("welcome", WELCOME_HZ), ("service", SERVICE_HZ), ("music", MUSIC_HZ), ("greeting", GREETING_HZ),
            )
        }  # fmt: skip
        for name, members in self.queues.items():
            said = {
                "greeting": sounds["greeting"], "music": sounds["music"], "announce_every_s": 4.0, **self.waiting
            }  # fmt: skip
            values = {"name": name, "wrap_up_s": 5, "ring_s": 15, "waiting": said, **self.settings}
            queue = Queue(**values)
            session.add(queue)
            session.flush()
            self.ids[name] = queue.id
            for i in members:
                session.add(QueueMember(queue_id=queue.id, user_id=self.ids[f"agent{i}"]))
        session.flush()
        actor = Actor(self.tenant, None, "test")
        flow = flows.create(session, actor, "Welcome", flow=self._menu(sounds))
        flows.publish(session, actor, flow.id, flow.revision)
        self.ids["Welcome"] = flow.id
        numbers = {
            TO_MENU: {"kind": "menu", "id": flow.id},
            TO_REPAIRS: {"kind": "queue", "id": self.ids[REPAIRS]},
            TO_AGENT: {"kind": "agent", "id": self.ids["agent1"]},
            TO_VOICEMAIL: {"kind": "voicemail"},
        }
        rows = [
            DidNumber(e164=e164, name=to["kind"], open_to={"number": "", "id": None, **to},
                      closed_to={"kind": "hang_up", "id": None, "number": ""})
            for e164, to in numbers.items()
        ]  # fmt: skip
        session.add_all(rows)
        self.ids["sale"] = session.scalars(select(Disposition.id).where(Disposition.sale)).one()
        session.flush()
        changed = [
            ("trunk", trunk.id), *(("queue", self.ids[q]) for q in self.queues), ("flow", flow.id),
            *(("user", id_) for name, id_ in self.ids.items() if name.startswith(("agent", "boss"))),
            *(("prompt", int(s.partition(":")[2])) for s in sounds.values()), *(("number", r.id) for r in rows),
        ]  # fmt: skip
        for entity, id_ in changed:
            settings_changed(session, entity, id_)
        return f"number:{rows[-1].id}"

    def _people(self, session: Session) -> None:
        """Agents, and a supervisor "boss"."""
        hashed = passwords.hash_password(PASSWORD)
        roles = {r.key: r.id for r in session.scalars(select(Role))}
        names = [(f"agent{i}", f"Agent {i}", "agent") for i in range(1, self.agents + 1)]
        for username, name, role in [*names, ("boss", "Boss", "admin")]:
            user = User(username=username, name=name, password_hash=hashed, locale="en")
            session.add(user)
            session.flush()
            session.add(UserRole(user_id=user.id, role_id=roles[role]))
            self.ids[username] = user.id

    def _sound(self, session: Session, name: str, hz: float) -> str:
        """A prompt of the enterprise; returns what it is called by."""
        path = self.installation.var / "prompts" / str(self.tenant) / f"{name}.wav"
        tone_file(path, hz)
        seconds = 1.0
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        relative = str(path.relative_to(self.installation.var))
        prompt = Prompt(name=name, kind="upload", path=relative, seconds=seconds, sha256=digest)
        session.add(prompt)
        session.flush()
        return f"prompt:{prompt.id}"

    def _menu(self, sounds: Mapping[str, str]) -> dict[str, Any]:
        def node(id_: str, verb: str, settings: dict[str, Any], **ways: str) -> dict[str, Any]:
            return {"id": id_, "verb": verb, "title": id_, "settings": settings, "ways": ways, "x": 0.0, "y": 0.0}

        def asks(sound: str, keys: dict[str, str]) -> dict[str, Any]:
            return {"prompts": {"any": [sound]}, "keys": keys, "timeout_s": 20, "tries": 3, "show": True}

        bye = {"timeout": "bye", "invalid": "bye"}
        nodes = [
            node(
                "Welcome", "menu", asks(sounds["welcome"], {"1": SALES, "2": "Service"}),
                **{"1": "s", "2": "Service"}, **bye,
            ),
            node(
                "Service", "menu", asks(sounds["service"], {"1": REPAIRS, "2": BILLING, "9": "Message"}),
                **{"1": "r", "2": "b", "9": "m"}, **bye,
            ),
            node("s", "queue", {"queue": self.ids[SALES]}),
            node("r", "queue", {"queue": self.ids[REPAIRS]}),
            node("b", "queue", {"queue": self.ids[BILLING]}),
            node("m", "voicemail", {}),
            node("bye", "hang_up", {}),
        ]  # fmt: skip
        return {"start": "Welcome", "nodes": nodes, "language": "en"}

    # ----------------------------------------------------------------------------------------------------- in the test

    def callers(self) -> Callers:
        """Telephones outside."""
        return Callers(("127.0.0.1", self.installation.ports["SIP_PORT"]))

    def headset(self, username: str, hz: float) -> Headset:
        """A user with a phone, speaking a tone."""
        return Headset(self.installation.address, "acme", username, PASSWORD, hz)

    def live(self, topic: str) -> dict[str, Any]:
        """The newest document of a topic, empty if there is none."""
        raw: Any = self.installation.redis().hget(f"live:{self.tenant}", topic)
        return dict(json.loads(raw)) if raw else {}

    def queue(self, name: str) -> dict[str, Any]:
        """The live document of a queue."""
        return self.live(f"queue:{self.ids[name]}")

    def agent(self, username: str) -> dict[str, Any]:
        """The live document of an agent."""
        return self.live(f"agent:{self.ids[username]}")

    def calls(self, number: str) -> list[dict[str, Any]]:
        """The CDRs of a caller, the oldest first."""
        return self.installation.rows("SELECT * FROM call WHERE phone_e164 = %s ORDER BY started_at", number)

    def ended_call(self, number: str, timeout_s: float = 15.0) -> dict[str, Any]:
        """The caller's newest CDR, once it has an end."""

        def ended() -> dict[str, Any] | None:
            rows = self.calls(number)
            return rows[-1] if rows and rows[-1]["ended_at"] is not None else None

        return dict(until(ended, f"the call of {number} has ended", timeout_s))

    def facts(self, kind: str, call_id: str | None = None) -> list[dict[str, Any]]:
        """Bodies of stored facts of one kind, in order."""
        rows = self.installation.rows("SELECT body, call_id FROM fact WHERE type = %s ORDER BY at, id", kind)
        return [r["body"] for r in rows if call_id is None or r["call_id"] == call_id]

    def calls_up(self) -> int:
        """Calls that the engine keeps."""
        return int(self.installation.redis().hlen(f"calls:{self.tenant}"))

    def at_rest(self, timeout_s: float = 15.0) -> None:
        """Wait until no call is up, nobody waits in a queue, and no CDR is open. Fails if that does not come."""
        until(lambda: not self.calls_up(), "no call is left in the engine", timeout_s)
        until(lambda: not any(self.queue(q).get("waiting") for q in self.queues), "nobody waits", timeout_s)
        open_ = "SELECT id FROM call WHERE ended_at IS NULL"
        until(lambda: not self.installation.rows(open_), "every CDR is closed", timeout_s)


@contextlib.contextmanager
def database_of(installation: Installation) -> Iterator[None]:
    """This process's sessions go to the installation's database."""
    before = os.environ.get("DATABASE_URL")
    os.environ["DATABASE_URL"] = installation.database_url
    try:
        yield
    finally:
        engine().dispose()
        del os.environ["DATABASE_URL"]
        if before is not None:
            os.environ["DATABASE_URL"] = before


def tone_file(path: Path, hz: float, seconds: float = 1.0) -> None:
    """A WAV, 8 kHz, mono, PCM16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(int(8000 * seconds)) / 8000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((np.sin(2 * np.pi * hz * t) * 8000).astype("<i2").tobytes())
