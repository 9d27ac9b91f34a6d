"""Protocols by name. A protocol is a module of this package with

    def make(carrier: TextCarrier, listener: Listener) -> Carrier    # not yet connected
    def faults(settings: Mapping[str, object]) -> dict[str, str]     # field of `settings` → what is wrong, the remedy
    SETTINGS: tuple[Setting, ...]                                    # what can be set, for the operator's form

and its line here. Modules are imported when first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from callcenter.errors import InvalidInput
from smsgateway.carriers.models import TextCarrier
from smsgateway.carriers.port import Carrier, Listener
from smsgateway.carriers.settings import Setting

PROTOCOLS: Final[Mapping[str, str]] = {
    "smpp": "smsgateway.carriers.smpp",
    "cmpp": "smsgateway.carriers.cmpp",
    "http": "smsgateway.carriers.http",
    "mm7": "smsgateway.carriers.mm7",
    "demo": "smsgateway.carriers.demo",
}


def _module(protocol: str) -> Any:
    try:
        return import_module(PROTOCOLS[protocol])
    except KeyError:
        raise InvalidInput(
            f"There is no protocol {protocol!r}.",
            fields={"protocol": f"Give one of {', '.join(PROTOCOLS)}."},
        ) from None


def make(carrier: TextCarrier, listener: Listener) -> Carrier:
    """The connection of `carrier`, not yet started. Raises InvalidInput naming the settings that make no sense."""
    module = _module(carrier.protocol)
    wrong = faults(carrier.protocol, carrier.settings)
    if wrong:
        raise InvalidInput(f"The settings of carrier {carrier.name!r} make no sense.", fields=wrong)
    connection: Carrier = module.make(carrier, listener)
    return connection


def faults(protocol: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Field of `settings` → what is wrong with it and the remedy; empty if all is well."""
    found: dict[str, str] = _module(protocol).faults(settings)
    return found


def settings_of(protocol: str) -> tuple[Setting, ...]:
    """What can be set of `protocol`. Raises InvalidInput."""
    declared: tuple[Setting, ...] = _module(protocol).SETTINGS
    return declared
