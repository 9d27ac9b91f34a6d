"""What decides in a carrier's process: shares, the bucket, the journal of what was handed over, policies."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from smsgateway.carriers.handed import SLOTS, Handed, file_of, left_by_dead, of_dead
from smsgateway.carriers.lane import Bucket
from smsgateway.carriers.leases import Waiting, share
from smsgateway.carriers.policies import Policy, Refund, after_receipts
from smsgateway.carriers.port import Accepted, Lost, Rejected
from smsgateway.texts import TextState


@given(st.lists(st.builds(Waiting, st.just(2), st.integers(1, 5), st.integers(1, 40)), unique_by=lambda w: w.send_id),
       st.integers(0, 200), st.integers(0, 50))  # fmt: skip
def test_room_is_shared_between_enterprises_and_then_their_sends(waiting: list[Waiting], room: int, turn: int) -> None:
    given = share(waiting, room, turn)
    assert sum(n for _, n in given) <= room
    if waiting:
        assert sum(n for _, n in given) == room
    by_tenant: dict[int, int] = {}
    for w, n in given:
        by_tenant[w.tenant_id] = by_tenant.get(w.tenant_id, 0) + n
    tenants = {w.tenant_id for w in waiting}
    if tenants and room >= len(tenants):
        assert max(by_tenant.values()) - min(by_tenant.get(t, 0) for t in tenants) <= 1


def test_everybody_has_a_turn_where_there_is_less_room_than_sends() -> None:
    waiting = [Waiting(2, tenant, tenant * 10 + send) for tenant in range(3) for send in range(4)]
    served = {w for turn in range(12) for w, _ in share(waiting, 1, turn)}
    assert served == set(waiting)


def test_a_bucket_lets_through_its_rate_in_segments() -> None:
    bucket, now, went = Bucket(50), 100.0, 0
    while now < 110.0:
        wait_s = bucket.wait_s(2, now)
        if wait_s:
            now += wait_s
        else:
            went += 2
    assert 500 <= went <= 510
    assert Bucket(0).wait_s(1000, 0.0) == 0.0


def test_a_journal_is_read_as_it_was_written_and_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "x.handed"
    journal = Handed(file, "me")
    for n in range(1, SLOTS + 1):
        journal.put(n)
    assert journal.full
    for n in range(1, SLOTS + 1, 2):
        journal.wipe(n)
    assert not journal.full
    journal.answered(2, Accepted(("ref-1", "", "ref-3")))
    journal.answered(4, Rejected("0x0B", "no such number " * 9))
    journal.answered(6, Accepted(tuple(f"a long reference {n}" for n in range(20))))  # does not fit
    journal.answered(8, Lost(("x",)))
    by, left = left_by_dead(file) or ("", {})
    assert (by, left.keys()) == ("me", set(range(2, SLOTS + 1, 2)))
    assert left[2] == Accepted(("ref-1", "", "ref-3"))
    assert left[4] == Rejected("0x0B", ("no such number " * 9)[:60])
    assert {left[n] for n in range(6, SLOTS + 1, 2)} == {Lost()}
    journal.wipe(2)
    journal.put(99_999)
    assert (left_by_dead(file) or ("", {}))[1][99_999] == Lost()  # not the answer of who had the slot before
    file.write_bytes(file.read_bytes()[:100])
    assert left_by_dead(file) is None
    assert left_by_dead(tmp_path / "none") is None


def test_a_journal_is_of_a_dead_process_only_when_nobody_holds_it(tmp_path: Path) -> None:
    mine, other = file_of(tmp_path, "g/1"), file_of(tmp_path, "g/2")
    alive, gone = Handed(mine, "g/1"), Handed(other, "g/2")
    assert of_dead(tmp_path) == {}
    gone.put(7)
    gone.close()
    assert of_dead(tmp_path) == {other: "g/2"}
    alive.close()
    assert not mine.exists()


def test_receipts_make_of_a_text_what_its_parts_say() -> None:
    submitted, doubtful = TextState.SUBMITTED, TextState.DOUBTFUL
    assert after_receipts(submitted, ["delivered", "submitted"]) is None
    assert after_receipts(submitted, ["delivered", "delivered"], 2) is TextState.DELIVERED
    assert after_receipts(submitted, ["delivered", "failed"]) is TextState.FAILED
    assert after_receipts(submitted, ["expired", "submitted"]) is TextState.EXPIRED
    assert after_receipts(doubtful, ["delivered"], 2) is None
    assert after_receipts(doubtful, ["expired"], 2) is TextState.FAILED
    for final in (TextState.DELIVERED, TextState.FAILED, TextState.EXPIRED, TextState.CANCELLED):
        for parts in (["delivered"], ["failed"], ["expired"]):
            assert after_receipts(final, parts) is None


def test_what_is_given_back() -> None:
    table: Iterable[tuple[Refund, TextState, bool]] = [
        (Refund.NEVER, TextState.FAILED, False), (Refund.FAILED, TextState.FAILED, True),
        (Refund.FAILED, TextState.EXPIRED, False), (Refund.FAILED_OR_EXPIRED, TextState.EXPIRED, True),
        (Refund.FAILED_OR_EXPIRED, TextState.DELIVERED, False),
    ]  # fmt: skip
    for refund, state, back in table:
        assert Policy(refund=refund).gives_back(state) is back
