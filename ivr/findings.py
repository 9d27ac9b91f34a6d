"""What can be wrong with a menu: codes, and each in plain English. The interface has its own texts by code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ivr.verb import Severity

TEXTS: Final[Mapping[str, str]] = {
    # of the graph
    "no_start": "The menu has no first node.",
    "unknown_start": "The first node does not exist.",
    "same_id": "Two nodes have the same id.",
    "unknown_verb": "There is no verb {verb}.",
    "missing_way": "The way {way} leads nowhere.",
    "unknown_way": "The way {way} does not exist any more; it is never taken.",
    "way_to_nowhere": "The way {way} leads to a node that does not exist.",
    "unreachable": "No way leads here.",
    "dead_end": "From here a call can never end or reach anybody.",
    "loop": "The menu can go round here for ever without the caller doing anything.",
    "too_many_nodes": "A menu has at most {most} nodes.",
    # of settings
    "unreadable_settings": "The settings can't be read: {reason}",
    "missing_setting": "{field} is not filled in.",
    "missing_prompt": "There is nothing to play.",
    "missing_timeout": "There is no time-out: a silent caller would wait for ever.",
    "too_low": "{field} is at least {low}.",
    "too_high": "{field} is at most {high}.",
    "unknown_choice": "{value} is no choice for {field}.",
    "bad_prompt": "{prompt} is no prompt.",
    "bad_language": "{language} is no language that is spoken here.",
    "bad_variable": "{value} is no name for a variable: small letters, digits and _.",
    "bad_key": "{key} is no key.",
    "bad_template": "{value} can't be filled in: write {{name}}.",
    "bad_number": "{value} is no phone number with + and country code.",
    "caller_chooses_number": "Whoever calls can choose which number is called, at your cost.",
    "bad_pattern": "The pattern can't be used: {reason}",
    "bad_expression": "The expression can't be read: {reason}",
    "bad_url": "The address must begin with https:// or http:// and a fixed host.",
    "bad_header": "{name} is no name of a header.",
    "bad_case": "The case {name} is not filled in.",
    "same_case": "Two cases are called {name}.",
    "no_keys": "There is no key to press.",
    "min_over_max": "The least number of digits is more than the most.",
    "bad_level": "A skill's level is from 1 to 10.",
    "unknown_queue": "The queue does not exist any more.",
    "unknown_flow": "The menu does not exist any more, or was never published.",
    "unknown_agent": "The agent does not exist any more.",
    "unknown_prompt": "The prompt does not exist any more.",
    "unknown_calendar": "The calendar does not exist any more.",
    "unset_variable": "Nothing sets the variable {variable}.",
}


@dataclass(frozen=True)
class Finding:
    """`node` is a node's id, empty for the menu as a whole; `where` the setting or way it is about."""

    code: str
    severity: Severity = Severity.ERROR
    node: str = ""
    where: str = ""
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """In English."""
        return TEXTS[self.code].format(**self.params)

    def plain(self) -> dict[str, Any]:
        """For the API."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "node": self.node,
            "field": self.where,
            "params": dict(self.params),
            "message": self.message,
        }
