"""Many processes on one account: nothing lost, nothing negative, nothing booked twice, no deadlock."""

from __future__ import annotations

import pytest

from benchmarks.purse import opened, race, wrong
from callcenter.db.session import engine

PROCESSES, BATCHES, BATCH = 6, 15, 20


@pytest.mark.promise("S5")
@pytest.mark.promise("P4")
def test_processes_with_shared_keys_spend_exactly_what_there_is(database: object) -> None:
    texts = PROCESSES // 2 * BATCHES * BATCH // 10
    tenant = opened("acme", texts)
    engine().dispose()
    _, done = race(tenant, PROCESSES, BATCHES, BATCH)
    assert wrong(tenant, texts, done) == []
    assert done.repeated > 0, "two processes have each key"
    assert done.short > 0, "the money does not last for all"
