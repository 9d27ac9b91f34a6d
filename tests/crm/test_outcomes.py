"""What calls and dispositions make of leads, call-backs, customers and the blacklist; everything may come twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callcenter.audit.models import Actor
from callcenter.db.session import tenant_session
from crm.actions import callbacks
from crm.actions.callbacks import CallbackState, Promise
from crm.actions.outcomes import lead_attempted, lead_dispositioned
from crm.models import BlacklistEntry, Callback, Customer, Disposition, FollowUp, Lead, LeadAttempt, LeadStatus
from tests.crm.conftest import Floor

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


@dataclass
class Rules:
    id: int = 1
    max_attempts: int = 5
    recycling: dict[str, Any] = field(default_factory=dict)


def new_lead(floor: Floor, phone: str = "+8613812345678", **more: Any) -> int:
    with tenant_session(floor.tenant) as s:
        lead = Lead(list_id=floor.list_id, phone_e164=phone, status=LeadStatus.IN_PROGRESS, **more)
        s.add(lead)
        s.flush()
        return lead.id


def disposition(floor: Floor, code: str, **flags: Any) -> int:
    with tenant_session(floor.tenant) as s:
        row = Disposition(code=code, name=code, name_zh=code, **flags)
        s.add(row)
        s.flush()
        return row.id


def attempted(
    floor: Floor, lead_id: int, call_id: str, outcome: str, minutes: int = 0, rules: Rules | None = None
) -> None:
    with tenant_session(floor.tenant) as s:
        lead_attempted(
            s, lead_id=lead_id, call_id=call_id, at=NOW + timedelta(minutes=minutes), outcome=outcome, cause=outcome,
            campaign=rules or Rules(),
        )  # fmt: skip


def dispositioned(floor: Floor, lead_id: int | None, call_id: str, disposition_id: int, **more: Any) -> None:
    values: dict[str, Any] = {
        "customer_id": None, "phone_e164": "+8613812345678", "note": "", "callback_at": None, "callback_mine": True,
        "campaign_id": None, "at": NOW,
    }  # fmt: skip
    with tenant_session(floor.tenant) as s:
        lead_dispositioned(
            s, actor=floor.actor, lead_id=lead_id, call_id=call_id, disposition_id=disposition_id, **{**values, **more}
        )


def lead_of(floor: Floor, lead_id: int) -> Lead:
    with tenant_session(floor.tenant) as s:
        return s.get_one(Lead, lead_id)


@pytest.mark.promise("L3")
@pytest.mark.parametrize(
    ("outcome", "status", "after_s", "counts"),
    [
        ("busy", "retry", 300, 1),
        ("no_answer", "retry", 3600, 1),
        ("abandoned", "retry", 3600, 1),
        ("congestion", "retry", 120, 0),
        ("engine_lost", "retry", 600, 0),
        ("invalid", "dead", None, 1),
        ("connected", "finished", None, 1),
    ],
)
def test_each_outcome_recycles_the_lead_once(
    floor: Floor, outcome: str, status: str, after_s: int | None, counts: int
) -> None:
    lead_id = new_lead(floor)
    attempted(floor, lead_id, "C1", outcome)
    attempted(floor, lead_id, "C1", outcome)  # the same fact again
    lead = lead_of(floor, lead_id)
    assert (lead.status, lead.attempts, lead.last_outcome, lead.last_attempt_at) == (status, counts, outcome, NOW)
    assert lead.next_at == (None if after_s is None else NOW + timedelta(seconds=after_s))


@pytest.mark.promise("L3")
def test_a_lead_is_finished_when_the_tries_of_an_outcome_or_of_the_campaign_are_used_up(floor: Floor) -> None:
    busy = new_lead(floor)
    for i in range(3):
        attempted(floor, busy, f"B{i}", "busy", i)
    assert lead_of(floor, busy).status == "finished"
    mixed = new_lead(floor, "+8613912345678")
    for i, outcome in enumerate(("busy", "no_answer")):
        attempted(floor, mixed, f"M{i}", outcome, i, Rules(max_attempts=2))
    assert lead_of(floor, mixed).status == "finished"
    own = new_lead(floor, "+8613712345678")
    attempted(floor, own, "O1", "busy", rules=Rules(recycling={"busy": {"after_s": 60, "tries": 5}}))
    assert lead_of(floor, own).next_at == NOW + timedelta(seconds=60)


@pytest.mark.promise("D7")
def test_the_disposition_decides_whether_it_comes_before_or_after_the_end(floor: Floor) -> None:
    interested = disposition(floor, "interested", retry_after_s=7200)
    for order in ((0, 1), (1, 0)):
        lead_id = new_lead(floor, f"+861381234567{order[0]}")
        call_id = f"C{order[0]}"
        steps = [
            lambda i=lead_id, c=call_id: attempted(floor, i, c, "connected"),
            lambda i=lead_id, c=call_id: dispositioned(floor, i, c, interested),
        ]
        for i in order:
            steps[i]()
            steps[i]()
        lead = lead_of(floor, lead_id)
        assert (lead.status, lead.next_at, lead.attempts) == ("retry", NOW + timedelta(seconds=7200), 1)


@pytest.mark.promise("D8")
@pytest.mark.promise("C1")
def test_a_promised_call_back_makes_one_row_one_customer_and_one_note(floor: Floor) -> None:
    call_back = disposition(floor, "callback", callback=True, contact=True)
    lead_id = new_lead(floor, name="Wang Li", fields={"city": "Beijing"})
    due = NOW + timedelta(days=1)
    attempted(floor, lead_id, "C1", "connected")
    for _ in range(2):
        dispositioned(floor, lead_id, "C1", call_back, callback_at=due, note="call after work", campaign_id=None)
    with tenant_session(floor.tenant) as s:
        promise = s.query(Callback).one()
        customer = s.query(Customer).one()
        assert (promise.due_at, promise.user_id, promise.lead_id) == (due, floor.user, lead_id)
        assert (customer.name, customer.phones, customer.fields) == ("Wang Li", ["+8613812345678"], {"city": "Beijing"})
        assert (promise.customer_id, s.query(FollowUp).one().text) == (customer.id, "call after work")
        assert s.get_one(Lead, lead_id).customer_id == customer.id
    lead = lead_of(floor, lead_id)
    assert (lead.status, lead.next_at) == ("callback", due)
    attempted(floor, lead_id, "C2", "connected", 60 * 24 + 1)
    with tenant_session(floor.tenant) as s:
        assert s.query(Callback).one().state == CallbackState.DONE


@pytest.mark.promise("D7")
def test_do_not_call_blocks_lead_and_number(floor: Floor) -> None:
    never = disposition(floor, "do_not_call", do_not_call=True, final=True)
    lead_id = new_lead(floor)
    for _ in range(2):
        dispositioned(floor, lead_id, "C1", never)
    attempted(floor, lead_id, "C1", "connected")
    with tenant_session(floor.tenant) as s:
        entry = s.query(BlacklistEntry).one()
        assert (entry.phone_e164, entry.source, entry.enabled) == ("+8613812345678", "disposition", True)
    assert lead_of(floor, lead_id).status == "blocked"


@pytest.mark.promise("L3")
def test_a_wrong_number_gives_way_to_the_leads_next_phone(floor: Floor) -> None:
    wrong = disposition(floor, "wrong_number", wrong_number=True, final=True)
    lead_id = new_lead(floor, alt_phones=["+8613912345678"])
    dispositioned(floor, lead_id, "C1", wrong)
    lead = lead_of(floor, lead_id)
    assert (lead.phone_e164, lead.alt_phones, lead.status) == ("+8613912345678", [], "retry")
    dispositioned(floor, lead_id, "C2", wrong)
    assert lead_of(floor, lead_id).status == "dead"
    with tenant_session(floor.tenant) as s:
        assert s.query(Customer).count() == 0


def test_a_late_fact_of_an_older_call_does_not_undo_a_newer_one(floor: Floor) -> None:
    lead_id = new_lead(floor)
    attempted(floor, lead_id, "C2", "invalid", 10)
    attempted(floor, lead_id, "C1", "busy", 0)
    lead = lead_of(floor, lead_id)
    assert (lead.status, lead.attempts, lead.last_outcome) == ("dead", 2, "invalid")
    with tenant_session(floor.tenant) as s:
        assert s.query(LeadAttempt).count() == 2


@pytest.mark.promise("I5")
def test_a_second_conversation_on_any_phone_finds_the_same_customer(floor: Floor) -> None:
    sale = disposition(floor, "sale", sale=True, final=True)
    first = new_lead(floor, name="Wang", alt_phones=["+8613912345678"])
    second = new_lead(floor, "+8613912345678")
    dispositioned(floor, first, "C1", sale)
    dispositioned(floor, second, "C2", sale, phone_e164="+8613912345678")
    dispositioned(floor, None, "C3", sale, note="by hand")
    with tenant_session(floor.tenant) as s:
        assert s.query(Customer).count() == 1


@pytest.mark.promise("D8")
def test_a_call_back_made_by_hand_moves_the_lead_and_is_told(floor: Floor) -> None:
    lead_id = new_lead(floor)
    with tenant_session(floor.tenant) as s:
        s.get_one(Lead, lead_id).status = "finished"
        promise = Promise(NOW + timedelta(hours=1), lead_id=lead_id, user_id=floor.user)
        made = callbacks.create(s, Actor(floor.tenant, floor.user, "Admin"), promise, now=NOW)
        callback_id = made.id
    assert lead_of(floor, lead_id).status == "callback"
    with tenant_session(floor.tenant) as s:
        callbacks.close(s, floor.actor, callback_id, CallbackState.CANCELLED)
    assert lead_of(floor, lead_id).status == "finished"


@pytest.mark.promise("I5")
def test_callers_who_withhold_their_number_become_no_customer_together_and_no_blacklist_entry(floor: Floor) -> None:
    resolved = disposition(floor, "resolved_withheld", human=True)
    never_again = disposition(floor, "never_withheld", human=True, do_not_call=True)
    dispositioned(floor, None, "W1", resolved, phone_e164="", note="A secret of the first.")
    dispositioned(floor, None, "W2", resolved, phone_e164="", note="A secret of the second.")
    dispositioned(floor, None, "W3", never_again, phone_e164="")
    with tenant_session(floor.tenant) as s:
        assert s.query(Customer).filter(Customer.phones.contains([""])).count() == 0
        assert s.query(FollowUp).filter(FollowUp.call_id.in_(["W1", "W2"])).count() == 0
        assert s.query(BlacklistEntry).filter(BlacklistEntry.phone_e164 == "").count() == 0
