"""What the engine writes in one transaction."""

from __future__ import annotations

from callcenter.processes.engine.journal import newest


def test_a_field_is_written_once_and_as_it_was_last() -> None:
    batch = [
        ("hset", "calls:1", "a", b"1"),
        ("xadd", "facts", {"e": b"x"}, "*", 10, True),
        ("hset", "calls:1", "a", b"2"),
        ("hset", "calls:1", "b", b"1"),
        ("xadd", "facts", {"e": b"x"}, "*", 10, True),
    ]
    assert newest(batch) == [batch[1], batch[2], batch[3], batch[4]]


def test_a_call_that_ended_in_the_batch_is_only_removed() -> None:
    assert newest([("hset", "calls:1", "a", b"1"), ("hdel", "calls:1", "a")]) == [("hdel", "calls:1", "a")]


def test_a_field_that_came_back_stays() -> None:
    batch = [("hdel", "flight:1", "7"), ("hset", "flight:1", "7", b"1")]
    assert newest(batch) == [batch[1]]


def test_equal_fields_of_other_hashes_and_other_writes_are_left_alone() -> None:
    batch = [("hset", "calls:1", "a", b"1"), ("hset", "calls:2", "a", b"1"), ("zadd", "t", {"a": 1.0})]
    assert newest(batch) == batch
