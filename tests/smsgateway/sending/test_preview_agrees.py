"""What a preview says of each recipient is what becomes of them, whatever the rules, the words and the balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, text

from callcenter.compliance.models import RuleSet
from callcenter.db.session import platform_session, tenant_session
from crm.models import BlacklistEntry, Customer
from smsgateway.models import OptOut, SensitiveWord, TextMessage
from smsgateway.sending import facts
from smsgateway.sending.new import NewSend
from smsgateway.sending.preview import preview
from smsgateway.words import store
from tests.smsgateway.sending.conftest import PRICE, Gateway
from tests.smsgateway.sending.test_preparer import closed_now

NAMES = ("Li", "forbidden", "f.o.r.b.i.d.d.e.n", "long " * 30, "", "王" * 80)
NUMBERS = count(13_800_000_000)  # each example has its own: what earlier ones left says nothing about them

people = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sets(st.sampled_from(("blacklisted", "opted_out", "had_one", "twice", "landline")), max_size=2),
    ),
    min_size=1,
    max_size=7,
)
sends = st.fixed_dictionaries(
    {
        "body": st.sampled_from(("Hello", "Dear {{name}}", "Dear {{name|you}}, forbidden", "{{company}}{{name}}")),
        "purpose": st.sampled_from(("marketing", "service", "code")),
        "outside_hours": st.sampled_from(("wait", "refuse")),
        "not_before": st.sampled_from((None, timedelta(hours=30))),
        "local_time": st.booleans(),
        "signature": st.sampled_from(("", "Acme")),
    }
)
rules = st.fixed_dictionaries({"closed": st.booleans(), "texts_24h": st.sampled_from((0, 1))})
PLAIN = {"purpose": "service", "outside_hours": "wait", "not_before": None, "local_time": False, "signature": ""}
OPEN = {"closed": False, "texts_24h": 0}
Verdict = tuple[str, str, str]


def foreseen(told: Mapping[str, Any], phones: Sequence[str]) -> dict[str, Verdict]:
    """Each recipient's outcome, check and rule as the preview has them; one that waits for the hours goes."""
    out = dict.fromkeys(phones, ("goes", "", ""))
    for group in told["left_out"]:
        outcome = {"refused": "refused", "held": "approval", "waits": "goes"}[group["outcome"]]
        for one in group["first"]:
            out[one["phone"]] = (outcome, group["check"], group["rule"]) if outcome != "goes" else ("goes", "", "")
    return out


def stored(texts: Mapping[str, TextMessage]) -> dict[str, Verdict]:
    return {p: ("goes" if m.state == "queued" else m.state, m.check_name, m.rule) for p, m in texts.items()}


def waiting(texts: Mapping[str, TextMessage], due: datetime) -> int:
    """How many wait for the hours: they are due later than was asked."""
    return sum(m.state == "queued" and m.not_before > due + timedelta(minutes=5) for m in texts.values())


@pytest.mark.promise("S1")
@pytest.mark.promise("S2")
def test_a_preview_and_the_preparer_agree_on_every_recipient(gateway: Gateway) -> None:
    junior = gateway.user("junior", "agent", texts_need_approval=True)
    gateway.add(SensitiveWord(word="forbidden"))
    store.changed(gateway.tenant)

    # The purse pays from the first on: nobody overtakes a long text that it can't pay.
    @example(people=[("王" * 80, set()), ("Li", set())], send={**PLAIN, "body": "Dear {{name}}"}, rules=OPEN,
             flagged=False, balance=1)  # fmt: skip
    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(people=people, send=sends, rules=rules, flagged=st.booleans(), balance=st.integers(0, 12))
    def agree(people: Any, send: dict[str, Any], rules: Any, flagged: bool, balance: int) -> None:
        phones = [f"+86{next(NUMBERS)}" for _ in people]
        phones = [f"+8610{p[-8:]}" if "landline" in marks else p for p, (_, marks) in zip(phones, people, strict=True)]
        typed = []
        with tenant_session(gateway.tenant) as s:
            s.execute(delete(RuleSet))
            windows = closed_now() if rules["closed"] else []
            s.add(RuleSet(name="Default", is_default=True, text_windows=windows, texts_24h=rules["texts_24h"]))
            for phone, (name, marks) in zip(phones, people, strict=True):
                s.add(
                    Customer(name=name, phones=[phone], owner_id=junior.user_id if flagged else gateway.agent.user_id)
                )
                s.add_all(BlacklistEntry(phone_e164=phone) for _ in marks & {"blacklisted"})
                s.add_all(OptOut(phone_e164=phone) for _ in marks & {"opted_out"})
                typed += [phone] * (2 if "twice" in marks else 1)
        purse(gateway, 1_000_000)
        had_one = [p for p, (_, marks) in zip(phones, people, strict=True) if "had_one" in marks]
        if had_one:
            gateway.sent("Before", had_one, purpose="marketing", outside_hours="wait")
        purse(gateway, balance * PRICE)
        facts.forget()

        now = datetime.now(UTC)
        asked = {**send, "not_before": now + send["not_before"] if send["not_before"] else None}
        new = NewSend(audience={"numbers": typed}, **asked)
        by = junior if flagged else gateway.agent
        told = preview(by, new)
        made = gateway.sent(by=by, numbers=typed, **asked)
        texts = gateway.texts(made.id)

        assert foreseen(told, phones) == stored(texts)
        assert told["duplicates"] == made.duplicates
        assert (told["passed"], told["held"], told["refused"]) == (made.queued, made.approval, made.refused)
        for sample in told["samples"]:
            found = texts[sample["phone"]]
            assert (sample["body"], sample["segments"]) == (found.body or made.body, found.segments)
        if not send["local_time"]:
            waits = sum(g["count"] for g in told["left_out"] if g["outcome"] == "waits")
            assert waits == waiting(texts, asked["not_before"] or now)

    agree()


def purse(gateway: Gateway, available: int) -> None:
    """So much and no more can be spent."""
    with platform_session() as s:
        s.execute(text("UPDATE purse_account SET available_minor = :n WHERE kind = 'sms'"), {"n": available})
