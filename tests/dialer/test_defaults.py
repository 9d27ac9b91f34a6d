"""What a new enterprise starts with."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from callcenter.compliance.models import RuleSet
from callcenter.db.session import platform_session, tenant_session
from callcenter.tenancy.models import Enterprise
from crm.models import NO_OUTCOME, Disposition
from dialer.actions import defaults
from dialer.actions.rules import check_windows

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize("country", ["CN", "US", "DE"])
def test_an_enterprise_starts_with_outcomes_on_keys_and_one_rule_set_and_only_once(country: str) -> None:
    with platform_session() as s:
        enterprise = Enterprise(code="a", name="A", country=country)
        s.add(enterprise)
        s.flush()
        tenant = enterprise.id
    for _ in range(2):
        with tenant_session(tenant) as s:
            defaults.give_defaults(s, tenant)
    with tenant_session(tenant) as s:
        rows = s.scalars(select(Disposition).where(~Disposition.system).order_by(Disposition.hot_key)).all()
        stored = s.scalars(select(Disposition).where(Disposition.system)).one()
        assert (stored.code, stored.hot_key, stored.built_in) == (NO_OUTCOME, None, True)
        assert [r.hot_key for r in rows] == list(range(1, len(defaults.DISPOSITIONS) + 1))
        assert all(r.built_in for r in rows)
        assert {"sale", "callback", "do_not_call"} <= {r.code for r in rows}
        rules = s.scalars(select(RuleSet)).one()
        assert rules.is_default and rules.country == country
        check_windows(rules.windows)
