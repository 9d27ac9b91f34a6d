"""What a send would do: the same checks, on the first thousands of its audience, and nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.tenancy.models import Enterprise
from smsgateway import templates
from smsgateway.checks.verdict import Check, Hold, NeedsApproval, Refusal
from smsgateway.models import TextSend
from smsgateway.purse.models import PurseAccount
from smsgateway.sending.audience import Recipient, Whose, read
from smsgateway.sending.facts import facts_of
from smsgateway.sending.judging import Job, Judged, detail_of, job_of, judge
from smsgateway.sending.new import NewSend
from smsgateway.sending.resolving import Resolver, check_body, instant, own_keys, pictures
from smsgateway.sending.signing import signing_of

MOST: Final = 5000
FIRST: Final = 100
SAMPLES: Final = 5
_PAGE: Final = 500


def preview(actor: Actor, new: NewSend) -> dict[str, Any]:
    """Whom `new` would leave out and why, its cost and some of its texts. Typed numbers that are none are told, not
    raised; other faults raise InvalidInput as `actions.ask` does."""
    with tenant_session(actor.tenant_id) as session:
        own = session.get_one(Enterprise, actor.tenant_id)
        resolver = Resolver(session, actor, own)
        audience = resolver.resolve(new, lenient=True)
        known = facts_of(session, actor.tenant_id, actor.user_id, system=actor.user_id is None)
        keys = own_keys(known.fields, audience)
        body = templates.clean(new.body.replace("\r\n", "\n")).strip("\n")
        check_body(new.kind, new.subject, body, pictures(session, actor, new), keys)
        signing = signing_of(session, actor.tenant_id)
        sender = session.get(User, actor.user_id) if actor.user_id is not None else None
        send = TextSend(
            tenant_id=actor.tenant_id, kind=new.kind, purpose=new.purpose, subject=new.subject.strip(),
            body=signing.signed(body, signing.of(new.signature)), sender_id=actor.user_id, local_time=new.local_time,
            not_before=instant(new.not_before, own, utc_now()), outside_hours=new.outside_hours,
            needs_approval=sender is not None and sender.texts_need_approval,
        )  # fmt: skip
        account = session.execute(
            select(PurseAccount.available_minor, PurseAccount.currency).where(PurseAccount.kind == new.kind)
        ).one_or_none()
        available, currency = (account.available_minor, account.currency) if account is not None else (0, "CNY")
        job = job_of(known, send, keys)
        judged, duplicates, whole = _judged(session, known.whose, audience, job, available)
    expected = len(judged) + duplicates if whole else max(int(audience["expected"]), len(judged))
    return {
        **_figures(judged, 1.0 if whole else (expected - duplicates) / max(1, len(judged))),
        "expected": expected + resolver.duplicates,
        "judged": len(judged),
        "sample": not whole,
        "duplicates": duplicates + resolver.duplicates,
        "available_minor": available,
        "currency": currency,
        "wrong_numbers": [{"line": w.line, "text": w.text, "code": w.code} for w in resolver.wrong],
        "wrong_numbers_count": resolver.wrong_count,
        "left_out": _left_out(judged),
        "samples": [_sample(j) for j in _good_samples(judged)],
    }


def _judged(
    session: Session, whose: Whose, audience: Mapping[str, Any], job: Job, available: int
) -> tuple[list[Judged], int, bool]:
    """(judged texts, duplicates among them, whether that is the whole audience)."""
    seen: set[str] = set()
    unique: list[Recipient] = []
    duplicates, cursor = 0, None
    while cursor is None or len(unique) < MOST:
        page = read(session, audience, whose, cursor or {}, _PAGE)
        for r in page.recipients:
            if r.phone in seen:
                duplicates += 1
            else:
                seen.add(r.phone)
                unique.append(r)
        cursor = page.cursor
        if cursor is None:
            break
    whole = cursor is None and len(unique) <= MOST
    now, left = utc_now().timestamp(), available
    judged: list[Judged] = []
    for at in range(0, min(len(unique), MOST), _PAGE):
        # Page by page: whoever else this process serves comes between, with the questions to the database.
        judged += judge(session, job, unique[at : min(at + _PAGE, MOST)], now, available_minor=left)
        left = available - sum(j.cost_minor for j in judged if not isinstance(j.verdict, Refusal | NeedsApproval))
    return judged, duplicates, whole


def _figures(judged: list[Judged], scale: float) -> dict[str, Any]:
    refused = [j.verdict for j in judged if isinstance(j.verdict, Refusal)]
    held = [j for j in judged if isinstance(j.verdict, NeedsApproval)]
    going = [j for j in judged if not isinstance(j.verdict, Refusal)]
    # What can't be paid counts to the cost: it says how much is missing.
    unpaid: list[Any] = [r.params["cost_minor"] for r in refused if r.check == Check.BALANCE]
    cost = sum(j.cost_minor for j in going) + sum(unpaid)
    return {
        "passed": len(going) - len(held),
        "held": len(held),
        "refused": len(refused),
        "without_value": sum(1 for j in going if j.missing),
        "segments_min": min((j.segments for j in going), default=0),
        "segments_max": max((j.segments for j in going), default=0),
        "segments": round(sum(j.segments for j in going) * scale),
        "cost_minor": round(cost * scale),
    }


def _group_of(j: Judged) -> tuple[str, str, str] | None:
    match j.verdict:
        case Refusal(check=check, rule=rule):
            return "refused", check.value, rule
        case NeedsApproval(rule=rule):
            return "held", Check.APPROVAL.value, rule
        case Hold(rule=rule):
            return "waits", Check.CAPS.value, rule
        case _:
            return None


def _left_out(judged: list[Judged]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str, str], list[Judged]] = {}
    for j in judged:
        group = _group_of(j)
        if group is not None:
            groups.setdefault(group, []).append(j)
    order = {c.value: n for n, c in enumerate(Check)}
    return [
        {
            "outcome": outcome, "check": check, "rule": rule, "count": len(members),
            "first": [_shown(j) for j in members[:FIRST]],
        }
        for (outcome, check, rule), members in sorted(groups.items(), key=lambda g: (order[g[0][1]], g[0]))
    ]  # fmt: skip


def _shown(j: Judged) -> dict[str, Any]:
    hits = detail_of(j).get("hits") or []
    return {
        "phone": j.recipient.phone, "name": j.recipient.name, "params": detail_of(j).get("params") or {},
        "body": j.text if hits else "", "hits": hits,
    }  # fmt: skip


def _good_samples(judged: list[Judged]) -> list[Judged]:
    """Some texts as they would be read: those that would go first, since they are what most people get."""
    going = [j for j in judged if not isinstance(j.verdict, Refusal)]
    with_gap = [j for j in going if j.missing][:1]
    longest = sorted(going, key=lambda j: -j.segments)[:1]
    picked = [*going[: SAMPLES - 2], *with_gap, *longest] or judged[:1]
    return list({j.recipient.phone: j for j in picked}.values())[:SAMPLES]


def _sample(j: Judged) -> dict[str, Any]:
    return {
        "phone": j.recipient.phone, "name": j.recipient.name, "body": j.text, "encoding": j.encoding,
        "segments": j.segments, "missing": list(j.missing),
    }  # fmt: skip
