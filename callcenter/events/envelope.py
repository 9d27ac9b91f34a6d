"""The envelope in which facts and commands travel, and the register of their types.

A fact says what happened (past tense, from the engine); a command asks for something (from web or relay to the
engine). Both are frozen dataclasses; the envelope carries what all of them share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from callcenter import ids, wire

T = TypeVar("T")


@dataclass(frozen=True)
class Envelope:
    """`id` is unique for ever (delivery is at least once: receivers fold by it); `at` seconds since the epoch."""

    id: str
    type: str
    version: int
    tenant: int
    at: float
    body: dict[str, Any]
    call: str | None = None


class UnknownMessage(Exception):
    """An envelope's type is not registered: a newer process wrote it, or a part is not imported."""


class Register:
    """Types by name. `add` is a class decorator; `pack` and `unpack` go between instance and envelope."""

    def __init__(self) -> None:
        self._kinds: dict[str, tuple[type, int]] = {}
        self._names: dict[type, str] = {}

    def add(self, name: str, version: int = 1) -> Callable[[type[T]], type[T]]:
        """Register a frozen dataclass under `name`. Raises ValueError if the name is taken."""

        def register(kind: type[T]) -> type[T]:
            if name in self._kinds:
                raise ValueError(f"message type {name!r} is registered twice")
            self._kinds[name] = (kind, version)
            self._names[kind] = name
            return kind

        return register

    def pack(self, message: object, *, tenant: int, at: float, call: str | None = None) -> Envelope:
        """Put `message` into a new envelope."""
        name = self._names[type(message)]
        return Envelope(ids.new_id(at), name, self._kinds[name][1], tenant, at, wire.plain(message), call)

    def unpack(self, envelope: Envelope) -> Any:
        """The message inside. Raises UnknownMessage, or msgspec.ValidationError naming the field that does not fit."""
        if envelope.type not in self._kinds:
            raise UnknownMessage(envelope.type)
        return wire.convert(envelope.body, self._kinds[envelope.type][0])

    @property
    def names(self) -> frozenset[str]:
        """All registered type names."""
        return frozenset(self._kinds)


FACTS = Register()
COMMANDS = Register()
