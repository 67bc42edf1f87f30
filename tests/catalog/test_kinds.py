"""What values of each kind are, how they are read, ordered, merged and shown. Rules F-1 to F-3 of docs/rules.md."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.kinds import KINDS, LARGEST_LIMIT, UNLIMITED, BadValue, Kind, Value, kind_choices, rule_choices

SWITCH, LIMIT, LEVEL = KINDS["switch"], KINDS["limit"], KINDS["level"]
STEPS = ("charts", "tiles", "custom")
LIMITS = st.one_of(st.integers(0, 20), st.just(LARGEST_LIMIT), st.just(UNLIMITED))
VALUES: dict[str, st.SearchStrategy[Any]] = {"switch": st.booleans(), "limit": LIMITS, "level": st.sampled_from(STEPS)}


def each_of(kind: Kind, *raws: object) -> list[tuple[Kind, object]]:
    return [(kind, raw) for raw in raws]


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (SWITCH, True, True),
        (SWITCH, False, False),
        (LIMIT, 0, 0),
        (LIMIT, 500, 500),
        (LIMIT, LARGEST_LIMIT, LARGEST_LIMIT),
        (LIMIT, "unlimited", UNLIMITED),
        (LIMIT, UNLIMITED, UNLIMITED),
        (LEVEL, "tiles", "tiles"),
    ],
)
def test_a_value_is_read(kind: Kind, raw: object, value: Value) -> None:
    assert kind.parse(raw, STEPS) == value
    assert type(kind.parse(raw, STEPS)) is type(value)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        *each_of(SWITCH, 1, 0, "true", None, [], "unlimited", UNLIMITED),
        *each_of(LIMIT, True, -1, 1.0, "5", None, "Unlimited", LARGEST_LIMIT + 1, float("inf")),
        *each_of(LEVEL, "none", "Tiles", "", 1, True, None, UNLIMITED),
    ],
    ids=lambda given: given.code if isinstance(given, Kind) else repr(given),
)
def test_anything_else_is_refused_in_a_sentence(kind: Kind, raw: object) -> None:
    with pytest.raises(BadValue, match=re.escape(repr(raw))) as refused:
        kind.parse(raw, STEPS)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("kind", "rule", "values", "expected"),
    [
        (SWITCH, "any", [True, False], True),
        (SWITCH, "any", [False, False], False),
        (LIMIT, "max", [3, 5], 5),
        (LIMIT, "max", [3, UNLIMITED], UNLIMITED),
        (LIMIT, "min", [3, 5], 3),
        (LIMIT, "min", [3, UNLIMITED], 3),
        (LIMIT, "min", [UNLIMITED], UNLIMITED),
        (LIMIT, "sum", [3, 5, 0], 8),
        (LIMIT, "sum", [3, UNLIMITED], UNLIMITED),
        (LIMIT, "sum", [LARGEST_LIMIT, LARGEST_LIMIT], LARGEST_LIMIT),
        (LEVEL, "highest", ["custom", "charts"], "custom"),
    ],
)
def test_merging(kind: Kind, rule: str, values: list[Value], expected: Value) -> None:
    assert rule in kind.rules
    assert kind.merge(rule, values, STEPS) == expected
    assert kind.merge(rule, values[::-1], STEPS) == expected


@pytest.mark.parametrize(
    ("kind", "value", "quantity", "expected"),
    [
        (SWITCH, True, 3, True),
        (LEVEL, "tiles", 3, "tiles"),
        (LIMIT, 5, 3, 15),
        (LIMIT, 5, 1, 5),
        (LIMIT, 5, 0, 0),
        (LIMIT, UNLIMITED, 3, UNLIMITED),
        (LIMIT, 2, 10**12, 2 * 10**12),  # counted, not repeated: ten million seats take no longer than one
        (LIMIT, LARGEST_LIMIT, 2, LARGEST_LIMIT),
    ],
)
def test_so_many_of_an_add_on(kind: Kind, value: Value, quantity: int, expected: Value) -> None:
    assert kind.times(value, quantity) == expected


@pytest.mark.parametrize(
    ("kind", "value", "amount", "expected"),
    [
        (SWITCH, False, True, True),
        (LEVEL, "tiles", "charts", "tiles"),
        (LEVEL, "tiles", "custom", "custom"),
        (LIMIT, 500, 200, 700),
        (LIMIT, UNLIMITED, 200, UNLIMITED),
        (LIMIT, 0, UNLIMITED, UNLIMITED),
    ],
)
def test_adding(kind: Kind, value: Value, amount: Value, expected: Value) -> None:
    assert kind.add(value, amount, STEPS) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (SWITCH, True, True),
        (SWITCH, False, False),
        (LIMIT, 0, False),
        (LIMIT, 1, True),
        (LIMIT, UNLIMITED, True),
        (LEVEL, "charts", True),
    ],
)
def test_having_the_value_is_having_the_feature(kind: Kind, value: Value, expected: bool) -> None:
    """C-46: a limit of 0 is a feature that isn't there, not one that is used up."""
    assert kind.grants(value) is expected


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (SWITCH, True, "Included"),
        (SWITCH, False, "Not included"),
        (LIMIT, 12000, "12,000 recipients"),
        (LIMIT, UNLIMITED, "Unlimited recipients"),
        (LEVEL, "tiles", "Default tiles"),
        (LEVEL, "custom", "custom"),
    ],
)
def test_in_words(kind: Kind, value: Value, shown: str) -> None:
    unit = "recipients" if kind is LIMIT else ""
    assert kind.show(value, {"tiles": "Default tiles"}, unit) == shown


def test_in_words_without_a_unit() -> None:
    assert LIMIT.show(3) == "3"


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        (SWITCH, True, {"value": True}),
        (LIMIT, 500, {"value": 500, "unlimited": False}),
        (LIMIT, UNLIMITED, {"value": None, "unlimited": True}),
        (LEVEL, "tiles", {"value": "tiles"}),
    ],
)
def test_as_json_and_back(kind: Kind, value: Value, told: dict[str, Any]) -> None:
    assert kind.as_json(value) == told
    assert kind.from_json(told, STEPS) == value


@pytest.mark.parametrize("kind", [SWITCH, LEVEL])
def test_only_a_limit_is_unlimited(kind: Kind) -> None:
    with pytest.raises(BadValue):
        kind.from_json({"value": None, "unlimited": True}, STEPS)


def test_a_choice_may_be_called_unlimited() -> None:
    assert LEVEL.from_json(LEVEL.as_json("unlimited"), ("some", "unlimited")) == "unlimited"
    assert LIMIT.parse("unlimited") is UNLIMITED


@given(st.data(), st.sampled_from(sorted(KINDS)))
def test_every_kind_orders_its_values_and_starts_at_the_bottom(data: st.DataObject, code: str) -> None:
    kind = KINDS[code]
    one, other = (data.draw(VALUES[code]) for _ in range(2))
    assert kind.rank(kind.bottom(STEPS), STEPS) <= kind.rank(one, STEPS)
    assert (kind.rank(one, STEPS) == kind.rank(other, STEPS)) is (one == other)
    assert kind.from_json(kind.as_json(one), STEPS) == one


@given(st.data(), st.sampled_from([(code, rule) for code, kind in sorted(KINDS.items()) for rule in kind.rules]))
def test_merging_takes_any_order_and_any_grouping(data: st.DataObject, of: tuple[str, str]) -> None:
    code, rule = of
    kind = KINDS[code]
    values = data.draw(st.lists(VALUES[code], min_size=1, max_size=5))
    cut = data.draw(st.integers(0, len(values) - 1))
    whole = kind.merge(rule, values, STEPS)
    assert kind.merge(rule, data.draw(st.permutations(values)), STEPS) == whole
    first = kind.merge(rule, values[: cut + 1], STEPS)
    assert kind.merge(rule, [first, *values[cut + 1 :]], STEPS) == whole
    if rule != "min":
        assert all(kind.rank(whole, STEPS) >= kind.rank(value, STEPS) for value in values)


def test_forms_offer_every_kind_and_every_rule_once() -> None:
    assert kind_choices() == [("switch", "Switch"), ("limit", "Limit"), ("level", "Level")]
    assert [rule for rule, _ in rule_choices()] == ["any", "max", "sum", "min", "highest"]
    assert [kind.rules[0] for kind in KINDS.values()] == ["any", "max", "highest"]
