"""The prompts of this installation by name: what the media process can play."""

from __future__ import annotations

from pathlib import Path

from callcenter.prompts.installed import ensure_prompts


def installed_prompts(var: Path) -> dict[str, str]:
    """Name → path of the WAV; missing ones are made (about a second, once)."""
    return {name: str(path) for name, path in ensure_prompts(var).items()}
