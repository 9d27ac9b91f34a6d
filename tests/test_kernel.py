"""Ids, wire, log, clock and machines: the small things that everything else stands on."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter import clock, ids, log, wire
from callcenter.fsm import IllegalEvent, Machine

# ---------------------------------------------------------------------------------------------------------------- ids


@given(st.lists(st.integers(0, 4_102_444_800_000), min_size=2, max_size=30, unique=True))
def test_ids_sort_by_the_time_they_were_made(milliseconds: list[int]) -> None:
    made = {ms: ids.new_id((ms + 0.5) / 1000) for ms in milliseconds}
    assert sorted(made, key=made.__getitem__) == sorted(milliseconds)


@given(st.integers(0, 4_102_444_800_000))
def test_an_id_tells_when_it_was_made(milliseconds: int) -> None:
    id_ = ids.new_id((milliseconds + 0.5) / 1000)
    assert len(id_) == ids.ID_LENGTH
    assert ids.created_at_s(id_) == pytest.approx(milliseconds / 1000, abs=0.0011)


def test_ids_of_one_moment_differ_and_those_of_now_carry_it() -> None:
    assert len({ids.new_id(1_700_000_000.0) for _ in range(1000)}) == 1000
    assert abs(ids.created_at_s(ids.new_id()) - time.time()) < 1


@pytest.mark.parametrize("foreign", ["", "01J", "I" * 26, "01j" + "0" * 23, "0" * 27, "../../etc/passwd0000000000"])
def test_what_is_no_id_of_ours_is_refused(foreign: str) -> None:
    with pytest.raises(ValueError, match="not an id"):
        ids.created_at_s(foreign)


# --------------------------------------------------------------------------------------------------------------- wire


@dataclass(frozen=True)
class Sample:
    name: str
    at: float
    tags: tuple[str, ...] = ()
    inner: dict[str, int] | None = None


SAMPLES = st.builds(
    Sample,
    st.text(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.text()).map(tuple),
    st.none() | st.dictionaries(st.text(), st.integers(-(2**53), 2**53)),
)


@given(SAMPLES)
def test_what_goes_through_json_comes_back_the_same(sample: Sample) -> None:
    assert wire.from_json(wire.to_json(sample), Sample) == sample
    assert wire.convert(wire.plain(sample), Sample) == sample


def _read(raw: bytes, times: int = 1) -> list[object]:
    async def read() -> list[object]:
        reader = asyncio.StreamReader()
        reader.feed_data(raw)
        reader.feed_eof()
        return [await reader_frame(reader) for _ in range(times)]

    async def reader_frame(reader: asyncio.StreamReader) -> object:
        return await wire.read_frame(reader)

    return asyncio.run(read())


@given(st.lists(SAMPLES, min_size=1, max_size=5))
def test_frames_come_out_one_by_one_as_they_went_in(samples: list[Sample]) -> None:
    raw = b"".join(wire.frame(sample) for sample in samples)
    assert [wire.convert(plain, Sample) for plain in _read(raw, len(samples))] == samples


def test_a_field_that_does_not_fit_is_named() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.at"):
        wire.from_json(b'{"name": "a", "at": "noon"}', Sample)
    with pytest.raises(msgspec.ValidationError, match="name"):
        wire.from_json(b'{"at": 1}', Sample)


def test_a_peer_that_goes_in_the_middle_and_a_frame_that_is_too_long_are_told_apart() -> None:
    whole = wire.frame({"a": 1})
    for cut in (0, 2, len(whole) - 1):
        with pytest.raises(asyncio.IncompleteReadError):
            _read(whole[:cut])
    with pytest.raises(ValueError, match="at most"):
        _read((wire.MAX_FRAME_BYTES + 1).to_bytes(4, "big") + b"x")


# ---------------------------------------------------------------------------------------------------------------- log


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("calling +8613812345678 now", "calling +86138****678 now"),
        ("13812345678", "138****678"),
        ('{"to": "+12125550123"}', '{"to": "+121****123"}'),
        ("+8613812345678,+8613912345678", "+86138****678,+86139****678"),
        ("call 01JD3Z8K6V9QF2M4T7W5X0Y1AB", "call 01JD3Z8K6V9QF2M4T7W5X0Y1AB"),
        ("2026-11-21T19:41:42.123+00:00", "2026-11-21T19:41:42.123+00:00"),
        ("127.0.0.1:5060 sent 486 after 1500 ms", "127.0.0.1:5060 sent 486 after 1500 ms"),
        ("lead 1234567 of campaign 7", "lead 1234567 of campaign 7"),
    ],
)
def test_phone_numbers_are_masked_and_nothing_else_is(said: str, written: str) -> None:
    assert log.mask_numbers(said) == written


@given(st.text(alphabet="abc :,", max_size=10), st.integers(10**9, 10**14), st.booleans())
def test_no_whole_number_gets_into_a_log(around: str, digits: int, plus: bool) -> None:
    number = f"+{digits}" if plus else str(digits)
    assert str(digits) not in log.mask_numbers(f"{around} {number} {around}")


def _logged(record: logging.LogRecord) -> dict[str, object]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        log.set_up("test")
        formatter = root.handlers[0].formatter
        assert formatter is not None
        entry: dict[str, object] = json.loads(formatter.format(record))
        return entry
    finally:
        root.handlers[:], root.level = before


def _record(message: str, exc: BaseException | None = None) -> logging.LogRecord:
    info = (type(exc), exc, exc.__traceback__) if exc else None
    return logging.LogRecord("callcenter.x", logging.WARNING, __file__, 1, message, None, info)


def test_a_line_is_one_json_object_with_the_ids_that_are_bound() -> None:
    with log.bind(tenant=7):
        with log.bind(call="01J"):
            entry = _logged(_record("busy\nhere"))
        outside = _logged(_record("later"))
    assert (entry["tenant"], entry["call"], entry["process"], entry["level"]) == (7, "01J", "test", "warning")
    assert entry["message"] == "busy\nhere"
    assert "call" not in outside and outside["tenant"] == 7
    assert "tenant" not in _logged(_record("after"))


def test_a_number_in_an_exceptions_text_is_masked_too() -> None:
    try:
        raise ValueError("no route to +8613812345678")
    except ValueError as error:
        entry = _logged(_record("failed", error))
    assert "+86138****678" in str(entry["error"]) and "12345678" not in str(entry["error"])


# -------------------------------------------------------------------------------------------------------------- clock


def test_instants_are_aware_and_in_utc() -> None:
    now = clock.utc_now()
    assert now.utcoffset() == timedelta(0)
    assert abs(now.timestamp() - clock.wall_s()) < 1
    assert clock.to_utc(0.0) == datetime(1970, 1, 1, tzinfo=UTC)
    before = clock.monotonic_s()
    assert clock.monotonic_s() >= before


# ---------------------------------------------------------------------------------------------------------------- fsm


class Door(StrEnum):
    OPEN = "open"
    SHUT = "shut"
    GONE = "gone"


class Hand(StrEnum):
    PUSH = "push"
    PULL = "pull"


TABLE = {(Door.OPEN, Hand.PUSH): Door.SHUT, (Door.SHUT, Hand.PULL): Door.OPEN, (Door.SHUT, Hand.PUSH): Door.GONE}
DOOR: Machine[Door, Hand] = Machine("door", Door.OPEN, TABLE, frozenset({Door.GONE}))


def test_a_machine_follows_its_table_and_refuses_the_rest() -> None:
    assert DOOR.next(Door.OPEN, Hand.PUSH) is Door.SHUT
    assert DOOR.accepts(Door.SHUT, Hand.PULL) and not DOOR.accepts(Door.OPEN, Hand.PULL)
    with pytest.raises(IllegalEvent, match="door: event 'pull' is not accepted in state 'gone'"):
        DOOR.next(Door.GONE, Hand.PULL)


def test_a_final_state_that_accepts_an_event_is_a_mistake_in_the_table() -> None:
    with pytest.raises(ValueError, match="final state gone accepts pull"):
        Machine("door", Door.OPEN, {**TABLE, (Door.GONE, Hand.PULL): Door.OPEN}, frozenset({Door.GONE}))


def test_the_diagram_has_every_line_of_the_table() -> None:
    drawn = DOOR.mermaid()
    assert drawn.startswith("stateDiagram-v2\n    [*] --> open\n")
    assert all(f"    {s} --> {t}: {e}\n" in drawn for (s, e), t in TABLE.items())
    assert "    gone --> [*]\n" in drawn
