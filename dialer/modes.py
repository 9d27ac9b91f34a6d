"""How a campaign dials, and whether it does. Plain words, for whoever needs no tables: the engine has no database."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    MANUAL = "manual"
    PREVIEW = "preview"
    PROGRESSIVE = "progressive"
    POWER = "power"
    PREDICTIVE = "predictive"


class CampaignState(StrEnum):
    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
