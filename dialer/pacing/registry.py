"""The pacing modes by name. A mode is one file with a `Pacer`; adding one is that file and a line here."""

from collections.abc import Callable
from enum import StrEnum

from callcenter.errors import InvalidInput
from dialer.pacing import power, predictive, progressive
from dialer.pacing.interface import Pacer


class Mode(StrEnum):
    """How a campaign's calls are paced. Manual, preview and broadcast campaigns have no pacer."""

    PROGRESSIVE = "progressive"
    POWER = "power"
    PREDICTIVE = "predictive"


FACTORIES: dict[str, Callable[[], Pacer]] = {
    Mode.PROGRESSIVE: progressive.Pacer,
    Mode.POWER: power.Pacer,
    Mode.PREDICTIVE: predictive.Pacer,
}


class UnknownMode(InvalidInput):
    """No pacing mode has this name."""

    code = "pacing.unknown_mode"

    def __init__(self, mode: str) -> None:
        known = ", ".join(FACTORIES)
        super().__init__(
            f"no pacing mode is called {mode!r}", fields={"mode": f"one of {known}"}, params={"mode": mode}
        )


def new_pacer(mode: str) -> Pacer:
    """A fresh pacer of this mode with the mode's defaults, to be started. Raises `UnknownMode`.

    A mode's own settings (the ratio of power, a day's totals before a restart) are arguments of its class.
    """
    try:
        return FACTORIES[mode]()
    except KeyError:
        raise UnknownMode(mode) from None
