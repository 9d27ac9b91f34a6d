"""Whose records one sees and changes: the rule itself."""

import pytest

from callcenter.auth.access import Access, Place, Viewer, access_level, superiors, way_up
from callcenter.auth.models import DataScope

pytestmark = pytest.mark.promise("E5")

# company (chief 1) ← sales (head 2) ← team (lead 3); support (4) beside sales
COMPANY, SALES, TEAM, SUPPORT = 10, 20, 30, 40
TREE = {
    COMPANY: Place(None, 1),
    SALES: Place(COMPANY, 2),
    TEAM: Place(SALES, 3),
    SUPPORT: Place(COMPANY, 4),
}
AGENT = 7


def level(user_id: int, department: int | None, scope: DataScope = DataScope.OWN) -> Access:
    """What a viewer may do with a record of AGENT, a member of TEAM."""
    return access_level(Viewer(user_id, department, scope), AGENT, TEAM, TREE)


def test_superiors_are_the_managers_on_the_way_up_the_direct_one_first() -> None:
    assert superiors(AGENT, TEAM, TREE) == [3, 2, 1]
    assert superiors(3, TEAM, TREE) == [2, 1], "nobody is one's own superior"
    assert superiors(AGENT, None, TREE) == []


def test_the_direct_superior_does_all_but_delete_and_higher_ones_read() -> None:
    assert level(3, TEAM) is Access.WRITE
    assert level(2, SALES) is Access.READ
    assert level(1, COMPANY) is Access.READ


def test_where_a_department_has_no_manager_the_next_above_is_the_direct_superior() -> None:
    tree = {**TREE, TEAM: Place(SALES, None)}
    assert access_level(Viewer(2, SALES, DataScope.OWN), AGENT, TEAM, tree) is Access.WRITE


def test_own_records_are_ones_own_and_strangers_see_nothing() -> None:
    assert level(AGENT, TEAM) is Access.FULL
    assert level(8, TEAM) is Access.NONE
    assert level(4, SUPPORT) is Access.NONE


def test_a_data_scope_shows_its_departments() -> None:
    assert level(8, TEAM, DataScope.DEPARTMENT) is Access.READ
    assert level(8, SALES, DataScope.DEPARTMENT) is Access.NONE
    assert level(8, SALES, DataScope.DEPARTMENT_AND_BELOW) is Access.READ
    assert level(8, SUPPORT, DataScope.DEPARTMENT_AND_BELOW) is Access.NONE
    assert level(8, None, DataScope.DEPARTMENT_AND_BELOW) is Access.NONE
    assert level(8, None, DataScope.ALL) is Access.FULL


def test_a_record_without_owner_is_everybodys_except_to_delete() -> None:
    assert access_level(Viewer(8, None, DataScope.OWN), None, None, TREE) is Access.WRITE


def test_a_tree_that_goes_round_ends() -> None:
    assert way_up(1, {1: Place(2, None), 2: Place(1, None)}) == [1, 2]
