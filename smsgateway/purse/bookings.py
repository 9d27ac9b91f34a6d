"""The bookings of the purse: the only code that changes balances.

Each booking moves money between two sides of one account and writes both into the ledger, so that its rows sum to
zero (the database refuses others: trigger `ledger_balances`, migration 0010):

    top_up      funds → available      what was paid in
    correct     funds ⇄ available      by the operator, with a reason
    reserve     available → reserved   before texts are queued
    settle      reserved → spent       a carrier took the text
    refund      reserved → available   it was not sent
    give_back   spent → available      sent and paid, but the carrier's final word was no

They work in a tenant's session and, for many tenants at once, in a platform session. Nothing is committed here: the
caller books in the transaction that changes the texts.

**Locks.** Every booking first locks its accounts, in order of id. Who books for several enterprises in a transaction
uses one `book` for all of it: two calls would lock in two rounds. Who also locks sends locks those first, in order of
id: sends, then the purse, so that no two transactions wait for each other.

**Repetition.** `reserve_up_to`, `top_up` and `correct` take a key: the same key again changes nothing and gives the
first answer. `settle`, `refund` and `give_back` are guarded by what the reservation still holds; that a text is
settled once is the business of the text's state, which changes in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from callcenter import ids
from callcenter.errors import AppError, Conflict
from smsgateway.texts import Kind, Purpose

KINDS = (Kind.SMS.value, Kind.MMS.value)


@dataclass(frozen=True)
class Reserved:
    """Money is set aside for the first `count` texts; None: nothing could be paid (`count` 0)."""

    reservation_id: int | None
    count: int


@dataclass(frozen=True)
class Line:
    """What is moved within a reservation: an amount, and the texts and segments that it is for. Of one reservation
    there may be many lines in a call; they are added up."""

    reservation_id: int
    amount_minor: int
    texts: int = 0
    segments: int = 0


class NotHeld(Exception):
    """More than a reservation has was to be moved, or the reservation is unknown: a defect of ours, or a text that was
    settled twice. Nothing of the call was booked; the transaction has to be rolled back."""

    def __init__(self, what: str, reservations: Sequence[int]) -> None:
        super().__init__(f"{what}: reservations {list(reservations)} do not have that much")
        self.reservations = tuple(reservations)


class KeyUsed(Conflict):
    """A key comes again with another amount."""

    code = "key_used"


class TooLittle(AppError):
    """A correction would make the balance negative."""

    code = "balance_too_small"
    status = 409


def open_accounts(session: Session, tenant_id: int) -> None:
    """Make the accounts that the enterprise has not got yet, one for each kind, in the enterprise's currency."""
    session.execute(
        text(
            "INSERT INTO purse_account (tenant_id, kind, currency)"
            " SELECT e.id, k.kind, coalesce(nullif(e.settings->>'currency', ''), 'CNY')"
            " FROM enterprise e, unnest(CAST(:kinds AS text[])) WITH ORDINALITY AS k(kind, nr)"
            " WHERE e.id = :tenant ORDER BY k.nr ON CONFLICT DO NOTHING"
        ),
        {"kinds": list(KINDS), "tenant": tenant_id},
    )


def reserve_up_to(
    session: Session,
    tenant_id: int,
    kind: Kind | str,
    prices: Sequence[int],
    *,
    key: str,
    send_id: int | None = None,
    user_id: int | None = None,
    purpose: Purpose | str = "",
) -> Reserved:
    """Set money aside for as many of the texts, from the first on, as can be paid.

    `prices` are the texts' prices (all segments of each) in minor units, each ≥ 0. `key` is unique in the enterprise:
    a repeated call gives what the first one reserved, whatever the balance is by now. Raises KeyUsed if the key was
    for other prices.
    """
    if any(p < 0 for p in prices):
        raise ValueError("a price is negative")
    account = _lock_account(session, tenant_id, kind)
    before = session.execute(
        text("SELECT id, texts, amount_minor, account_id FROM purse_reservation WHERE tenant_id = :t AND key = :k"),
        {"t": tenant_id, "k": key},
    ).one_or_none()
    if before is not None:
        if sum(prices[: before.texts]) != before.amount_minor or before.account_id != account.id:
            raise KeyUsed("This key was used for another reservation.")
        return Reserved(before.id, before.texts)
    amount, count = 0, 0
    for price in prices:
        if amount + price > account.available_minor:
            break
        amount, count = amount + price, count + 1
    if count == 0:
        return Reserved(None, 0)
    return Reserved(
        session.execute(
            _RESERVE,
            {
                "tenant": tenant_id, "account": account.id, "key": key, "amount": amount, "texts": count,
                "send": send_id, "user": user_id, "purpose": str(purpose), "booking": ids.new_id(),
            },
        ).scalar_one(),
        count,
    )  # fmt: skip


_RESERVE = text("""
WITH res AS (
  INSERT INTO purse_reservation
    (tenant_id, key, account_id, send_id, user_id, purpose, texts, amount_minor, held_minor)
  VALUES (:tenant, :key, :account, :send, :user, :purpose, :texts, :amount, :amount) RETURNING id
), acc AS (
  UPDATE purse_account SET available_minor = available_minor - :amount, reserved_minor = reserved_minor + :amount,
    updated_at = now() WHERE id = :account
), led AS (
  INSERT INTO ledger_entry (tenant_id, booking, account_id, side, event, amount_minor, texts,
    reservation_id, send_id, user_id, purpose, at)
  SELECT :tenant, :booking, :account, s.side, 'reserve', s.sign * :amount, :texts, res.id, :send, :user, :purpose,
    clock_timestamp()
  FROM res, (VALUES (1, 'available', -1), (2, 'reserved', 1)) AS s(nr, side, sign) ORDER BY s.nr
)
SELECT id FROM res
""")


def book(
    session: Session,
    *,
    settled: Sequence[Line] = (),
    refunded: Sequence[Line] = (),
    given_back: Sequence[Line] = (),
) -> None:
    """All that became of texts in a transaction, in this order: `settle`, `refund`, `give_back`. Raises NotHeld."""
    _lock(session, {line.reservation_id for line in (*settled, *refunded, *given_back)})
    _move(session, settled, "settle", _SETTLE)
    _move(session, refunded, "refund", _REFUND)
    _move(session, given_back, "give_back", _GIVE_BACK)


def settle(session: Session, lines: Sequence[Line]) -> None:
    """Spend what was reserved. Raises NotHeld."""
    book(session, settled=lines)


def refund(session: Session, lines: Sequence[Line]) -> None:
    """Make available again what was reserved for texts that are not sent. Raises NotHeld."""
    book(session, refunded=lines)


def give_back(session: Session, lines: Sequence[Line]) -> None:
    """Make available again what was spent on texts that failed in the end. Raises NotHeld."""
    book(session, given_back=lines)


def _movement(event: str, source: str, target: str, taken: str, given: str, account: str) -> Any:
    """One statement that moves all lines of a call: `taken` and `given` are columns of the reservation, `account`
    changes the account by `m.amount`."""
    return text(f"""
WITH line AS (
  SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:amounts AS bigint[]), CAST(:texts AS int[]),
    CAST(:segments AS int[]), CAST(:bookings AS text[])) AS l(id, amount, texts, segments, booking)
), res AS (
  UPDATE purse_reservation r SET {taken} = {taken} - line.amount, {given} = {given} + line.amount, updated_at = now()
  FROM line WHERE r.id = line.id AND r.{taken} >= line.amount
  RETURNING r.id, r.tenant_id, r.account_id, r.send_id, r.user_id, r.purpose,
    line.amount, line.texts, line.segments, line.booking
), acc AS (
  UPDATE purse_account a SET {account}, updated_at = now()
  FROM (SELECT account_id, sum(amount) AS amount FROM res GROUP BY account_id) m WHERE a.id = m.account_id
), led AS (
  INSERT INTO ledger_entry (tenant_id, booking, account_id, side, event, amount_minor, texts, segments,
    reservation_id, send_id, user_id, purpose, at)
  SELECT tenant_id, booking, account_id, s.side, '{event}', s.sign * amount, texts, segments, res.id, send_id, user_id,
    purpose, clock_timestamp()
  FROM res, (VALUES (1, '{source}', -1), (2, '{target}', 1)) AS s(nr, side, sign) ORDER BY res.id, s.nr
)
SELECT id FROM res
""")


_SETTLE = _movement(
    "settle", "reserved", "spent", "held_minor", "settled_minor", "reserved_minor = a.reserved_minor - m.amount"
)
_REFUND = _movement(
    "refund", "reserved", "available", "held_minor", "refunded_minor",
    "reserved_minor = a.reserved_minor - m.amount, available_minor = a.available_minor + m.amount",
)  # fmt: skip
_GIVE_BACK = _movement(
    "return", "spent", "available", "settled_minor", "refunded_minor", "available_minor = a.available_minor + m.amount"
)


def _lock(session: Session, reservations: set[int]) -> None:
    if reservations:
        session.execute(
            text(
                "SELECT 1 FROM purse_account WHERE id IN"
                " (SELECT account_id FROM purse_reservation WHERE id = ANY(CAST(:ids AS bigint[])))"
                " ORDER BY id FOR UPDATE"
            ),
            {"ids": sorted(reservations)},
        )


def _move(session: Session, lines: Sequence[Line], what: str, statement: Any) -> None:
    sums: dict[int, list[int]] = {}
    for line in lines:
        if line.amount_minor < 0:
            raise ValueError("an amount is negative")
        total = sums.setdefault(line.reservation_id, [0, 0, 0])
        for i, value in enumerate((line.amount_minor, line.texts, line.segments)):
            total[i] += value
    if not sums:
        return
    wanted = sorted(sums)
    moved = session.scalars(
        statement,
        {
            "ids": wanted,
            "amounts": [sums[i][0] for i in wanted],
            "texts": [sums[i][1] for i in wanted],
            "segments": [sums[i][2] for i in wanted],
            "bookings": [ids.new_id() for _ in wanted],
        },
    ).all()
    if missing := sums.keys() - set(moved):
        raise NotHeld(what, sorted(missing))


def top_up(
    session: Session,
    tenant_id: int,
    kind: Kind | str,
    amount_minor: int,
    *,
    key: str,
    order_id: int | None = None,
    user_id: int | None = None,
    note: str = "",
) -> bool:
    """Credit what was paid in. False: this key was credited before, and nothing changed. Raises KeyUsed if that was
    another amount."""
    if amount_minor <= 0:
        raise ValueError("a top-up is more than nothing")
    return _pay_in(session, tenant_id, kind, amount_minor, "top_up", key, order_id, user_id, note)


def correct(
    session: Session,
    tenant_id: int,
    kind: Kind | str,
    amount_minor: int,
    *,
    key: str,
    user_id: int | None = None,
    note: str,
) -> bool:
    """Add to the balance or take from it (negative). False: this key was booked before. Raises TooLittle if less is
    available, KeyUsed."""
    if amount_minor == 0:
        raise ValueError("a correction changes something")
    return _pay_in(session, tenant_id, kind, amount_minor, "correction", key, None, user_id, note)


def _pay_in(
    session: Session,
    tenant_id: int,
    kind: Kind | str,
    amount: int,
    event: str,
    key: str,
    order_id: int | None,
    user_id: int | None,
    note: str,
) -> bool:
    account = _lock_account(session, tenant_id, kind)
    before = session.execute(
        text(
            "SELECT amount_minor, account_id, event FROM ledger_entry"
            " WHERE tenant_id = :t AND key = :k AND side = 'available'"
        ),
        {"t": tenant_id, "k": key},
    ).one_or_none()
    if before is not None:
        if (before.amount_minor, before.account_id, before.event) != (amount, account.id, event):
            raise KeyUsed("This key was used for another booking.")
        return False
    if account.available_minor + amount < 0:
        raise TooLittle(
            "There is less on the balance than that.",
            fields={"amount": "There is less on the balance than that."},
            params={"available_minor": account.available_minor},
        )
    session.execute(
        text("""
WITH acc AS (
  UPDATE purse_account SET available_minor = available_minor + :amount, updated_at = now() WHERE id = :account
)
INSERT INTO ledger_entry
  (tenant_id, booking, key, account_id, side, event, amount_minor, order_id, user_id, note, at)
SELECT :tenant, :booking, :key, :account, s.side, :event, s.sign * :amount, :order, :user, :note, clock_timestamp()
FROM (VALUES (1, 'funds', -1), (2, 'available', 1)) AS s(nr, side, sign) ORDER BY s.nr
"""),
        {
            "tenant": tenant_id, "booking": ids.new_id(), "key": key, "account": account.id, "event": event,
            "amount": amount, "order": order_id, "user": user_id, "note": note,
        },
    )  # fmt: skip
    return True


def _lock_account(session: Session, tenant_id: int, kind: Kind | str) -> Any:
    query = text("SELECT id, available_minor FROM purse_account WHERE tenant_id = :t AND kind = :k FOR UPDATE")
    values = {"t": tenant_id, "k": str(kind)}
    account = session.execute(query, values).one_or_none()
    if account is None:  # an enterprise from before there was a purse
        open_accounts(session, tenant_id)
        account = session.execute(query, values).one()
    return account
