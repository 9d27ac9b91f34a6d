"""One enterprise in this engine: its floor with its controllers, its campaigns, its trunks, its settings."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from callcenter.acd.control import AcdControl
from callcenter.acd.settings import QueueSettings
from callcenter.calls.call import Call
from callcenter.calls.control import Controls
from callcenter.calls.floor import Floor
from callcenter.calls.voicemail import VoicemailControl
from callcenter.clock import wall_s
from callcenter.numbers.calendar import CalendarDoc
from callcenter.numbers.routing import NumberDoc
from callcenter.telephony.trunks import TrunkPool
from crm.phones import Normaliser, caller_number
from dialer.campaign import CampaignRun
from dialer.control import ByHandControl, DialedControl
from ivr.control import IvrControl
from ivr.world import FloorWorld


class Tenant:
    """`documents`: settings by (entity, id); `numbers` and `calendars` read from them; `tried`: call id → trunks that
    were tried."""

    def __init__(self, tenant: int) -> None:
        self.id = tenant
        self.documents: dict[tuple[str, int], dict[str, Any]] = {}
        self.campaigns: dict[int, CampaignRun] = {}
        self.trunks = TrunkPool([])
        self.tried: dict[str, list[int]] = {}
        self.numbers: dict[int, NumberDoc] = {}
        self.calendars: dict[int, CalendarDoc] = {}
        self.world = FloorWorld(calendars=self.calendars, waiting=self._waiting, signed_on=self._signed_on)
        self.ivr = IvrControl(self.world)
        queues: dict[int, QueueSettings] = {}
        controls = Controls(DialedControl(), ByHandControl(), AcdControl(queues), VoicemailControl(), self.ivr)
        self.floor = Floor(tenant, controls, queues, seed=tenant)
        self.floor.to_e164 = self._to_e164  # type: ignore[method-assign]  # the floor has a plain default

    @property
    def enterprise(self) -> dict[str, Any]:
        """The enterprise's own document."""
        return self.documents.get(("enterprise", self.id), {})

    @property
    def expired(self) -> bool:
        """Whether the enterprise's account is past its date (row E10)."""
        until = self.enterprise.get("valid_until_s")
        return until is not None and wall_s() >= float(until)

    @property
    def time_zone(self) -> str:
        """The enterprise's own zone."""
        return str(self.enterprise.get("time_zone") or "UTC")

    @property
    def country(self) -> str:
        """The country whose numbers are dialed without a code."""
        return str(self.enterprise.get("country") or "CN")

    def settle_enterprise(self) -> None:
        """Work by the enterprise's zone from now on."""
        self.world.zone = self.time_zone
        self.floor.zone = ZoneInfo(self.time_zone)

    def calls_of(self, campaign_id: int) -> list[Call]:
        """The campaign's calls on the floor."""
        return [c for c in self.floor.calls.values() if c.campaign_id == campaign_id]

    def on_shift(self) -> set[int]:
        """The users who are signed on as agents."""
        return {a.user_id for a in self.floor.team.agents.values() if a.state.value != "offline"}

    def caller_number(self, text: str) -> str:
        """A caller's number as a trunk wrote it, in E.164; empty if it was withheld."""
        return caller_number(text, self.country)

    def _to_e164(self, digits: str) -> str | None:
        return Normaliser(self.country).read(digits).e164 or None

    def _waiting(self, queue_id: int) -> int:
        return self.floor.queues.length(queue_id) if queue_id in self.floor.queues else 0

    def _signed_on(self, queue_id: int) -> int:
        return sum(a.state.value != "offline" for a in self.floor.team.of_queue(queue_id))
