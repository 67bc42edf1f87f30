"""What a draft and a newer version made of the same base, put together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.content import Merge, merge
from catalog.errors import Conflict

NAMES = ("grants.mail", "grants.sales", "includes.common", "rules.cep", "max_quantity")


def any_side() -> st.SearchStrategy[dict[str, Any]]:
    said = st.one_of(st.booleans(), st.integers(0, 2), st.sampled_from(["unlimited", "needs"]))
    return st.dictionaries(st.sampled_from(NAMES), said)


def spelled(said: Any) -> dict[str, tuple[type, Any]]:
    """Returns a side so that True is not 1."""
    return {path: (type(value), value) for path, value in said.items()}


@pytest.mark.parametrize(
    ("base", "theirs", "mine", "merged"),
    [
        (1, 1, 1, 1),
        (1, 2, 1, 2),  # only theirs
        (1, 1, 2, 2),  # only mine
        (1, 2, 2, 2),  # both the same
        (1, None, 1, None),  # theirs took it out
        (1, 1, None, None),  # mine did
        (1, None, None, None),
        (None, 1, None, 1),  # theirs put it in
        (None, None, 1, 1),
        (None, 1, 1, 1),
        (False, False, 0, 0),  # no is not 0
        (True, 1, True, 1),
    ],
)
def test_what_only_one_side_changed_is_as_it_has_it(base: Any, theirs: Any, mine: Any, merged: Any) -> None:
    found = merge(*({} if said is None else {"grants.x": said} for said in (base, theirs, mine)))
    assert found.conflicts == ()
    assert spelled(found.merged) == ({} if merged is None else spelled({"grants.x": merged}))


@pytest.mark.parametrize(
    ("base", "theirs", "mine"),
    [(1, 2, 3), (1, None, 2), (1, 2, None), (None, 1, 2), (1, "unlimited", 2), (True, False, 1), (None, True, 1)],
)
def test_what_both_changed_differently_is_a_conflict(base: Any, theirs: Any, mine: Any) -> None:
    sides = [{} if said is None else {"grants.x": said} for said in (base, theirs, mine)]
    found = merge(*sides)
    assert found == Merge({}, {}, (Conflict("grants.x", base, theirs, mine),))
    assert spelled(found.resolve({"grants.x": "mine"})) == spelled(sides[2])
    assert spelled(found.resolve({"grants.x": "theirs"})) == spelled(sides[1])
    with pytest.raises(KeyError):
        found.resolve({})


def test_what_is_taken_over_is_told_with_what_the_draft_said() -> None:
    found = merge({"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 1, "d": 4}, {"a": 1, "b": 9, "c": 1})
    assert found.taken == {"a": (1, 2), "c": (1, None), "d": (None, 4)}
    assert found.merged == {"a": 2, "b": 9, "d": 4}


class TestWhateverTheSidesSay:
    @given(any_side(), any_side())
    def test_an_untouched_draft_becomes_the_newer_version(self, base: Any, theirs: Any) -> None:
        found = merge(base, theirs, base)
        assert found.conflicts == ()
        assert spelled(found.resolve({})) == spelled(theirs)

    @given(any_side(), any_side())
    def test_a_newer_version_that_changed_nothing_leaves_the_draft(self, base: Any, mine: Any) -> None:
        found = merge(base, base, mine)
        assert (found.conflicts, found.taken) == ((), {})
        assert spelled(found.resolve({})) == spelled(mine)

    @given(any_side(), any_side(), any_side())
    def test_both_sides_are_treated_alike(self, base: Any, theirs: Any, mine: Any) -> None:
        one, other = merge(base, theirs, mine), merge(base, mine, theirs)
        assert spelled(one.merged) == spelled(other.merged)
        swapped = tuple(Conflict(c.path, c.base, c.mine, c.theirs) for c in other.conflicts)
        assert repr(one.conflicts) == repr(swapped)

    @given(any_side(), any_side(), any_side())
    def test_all_mine_keeps_mine_where_both_changed_and_loses_nothing_of_theirs(
        self, base: Any, theirs: Any, mine: Any
    ) -> None:
        found = merge(base, theirs, mine)
        kept, taken = (spelled(found.resolve({c.path: side for c in found.conflicts})) for side in ("mine", "theirs"))
        was, other, own = spelled(base), spelled(theirs), spelled(mine)
        for path in {*base, *theirs, *mine}:
            if own.get(path) != was.get(path):
                assert kept.get(path) == own.get(path)
            else:
                assert kept.get(path) == other.get(path)
            if other.get(path) != was.get(path):
                assert taken.get(path) == other.get(path)

    @given(any_side(), any_side(), any_side())
    def test_a_rebased_draft_has_nothing_left_to_rebase(self, base: Any, theirs: Any, mine: Any) -> None:
        found = merge(base, theirs, mine)
        rebased = found.resolve({conflict.path: "mine" for conflict in found.conflicts})
        again = merge(theirs, theirs, rebased)
        assert (again.conflicts, again.taken) == ((), {})
        assert spelled(again.merged) == spelled(rebased)
