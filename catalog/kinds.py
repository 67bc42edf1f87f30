"""What a feature can be: a switch, a limit or a level. A new kind is one more class here. Pure.

A *value* is what a grant gives: for a switch a `bool`, for a limit an `int` or `UNLIMITED`, for a level the code of a
choice. Rules F-1 to F-4 of docs/rules.md.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final


class Unlimited(enum.Enum):
    """The top of every limit: max, sum and add give it, min and at-most n give n."""

    UNLIMITED = "unlimited"

    def __repr__(self) -> str:
        return "UNLIMITED"


UNLIMITED: Final = Unlimited.UNLIMITED

Value = bool | int | str | Unlimited

LARGEST_LIMIT: Final = 2**53 - 1  # what every JSON reader can hold exactly


class BadValue(ValueError):
    """A value that a feature of this kind can't have; the message is a sentence for people."""


class Kind(ABC):
    """How values of one kind of feature are read, ordered, merged and changed.

    Every method takes `choices`, the codes of a level's choices from lowest to highest; other kinds ignore it.
    """

    code: ClassVar[str]
    label: ClassVar[str]
    rules: ClassVar[tuple[str, ...]]  # the first is the default

    @abstractmethod
    def parse(self, raw: object, choices: Sequence[str] = ()) -> Value:
        """Returns the value that `raw` (from YAML, a form or JSON) spells. Raises BadValue."""

    @abstractmethod
    def rank(self, value: Value, choices: Sequence[str] = ()) -> tuple[int, int]:
        """Returns what orders values of this kind: a greater rank is a greater value."""

    @abstractmethod
    def bottom(self, choices: Sequence[str] = ()) -> Value:
        """Returns the value to start from where nothing grants the feature: false, 0 or the lowest choice."""

    def grants(self, value: Value) -> bool:
        """Whether having this value is having the feature: not for an off switch, nor for a limit of 0 (C-46)."""
        return value is not False and value != 0

    def merge(self, rule: str, values: Sequence[Value], choices: Sequence[str] = ()) -> Value:
        """Returns the one value that several sources (at least one) give together under `rule`."""
        pick = min if rule == "min" else max
        return pick(values, key=lambda value: self.rank(value, choices))

    def times(self, value: Value, quantity: int) -> Value:
        """Returns what `quantity` copies of an add-on give under *sum*; only limits multiply."""
        return value

    def add(self, value: Value, amount: Value, choices: Sequence[str] = ()) -> Value:
        """Returns `value` with an override's `amount` added; where adding means nothing, the greater of both."""
        return self.merge("max", [value, amount], choices)

    def show(self, value: Value, names: Mapping[str, str] | None = None, unit: str = "") -> str:
        """Returns the value in words for people."""
        return str(value)

    def as_json(self, value: Value) -> dict[str, Any]:
        """Returns what the API and frozen content say of a value: `value`, and for limits `unlimited`."""
        return {"value": value}

    def from_json(self, data: Mapping[str, Any], choices: Sequence[str] = ()) -> Value:
        """Returns the value that `as_json` wrote. Raises BadValue."""
        return self.parse(data.get("value"), choices)


class Switch(Kind):
    code = "switch"
    label = "Switch"
    rules = ("any",)

    def parse(self, raw: object, choices: Sequence[str] = ()) -> Value:
        if isinstance(raw, bool):
            return raw
        raise BadValue(f"A switch is true or false, not {raw!r}.")

    def rank(self, value: Value, choices: Sequence[str] = ()) -> tuple[int, int]:
        return (0, int(value is True))

    def bottom(self, choices: Sequence[str] = ()) -> Value:
        return False

    def show(self, value: Value, names: Mapping[str, str] | None = None, unit: str = "") -> str:
        return "Included" if value is True else "Not included"


class Limit(Kind):
    code = "limit"
    label = "Limit"
    rules = ("max", "sum", "min")

    def parse(self, raw: object, choices: Sequence[str] = ()) -> Value:
        if raw is UNLIMITED or raw == "unlimited":
            return UNLIMITED
        if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= LARGEST_LIMIT:
            return raw
        raise BadValue(f"A limit is a whole number from 0, or unlimited, not {raw!r}.")

    def rank(self, value: Value, choices: Sequence[str] = ()) -> tuple[int, int]:
        return (1, 0) if isinstance(value, Unlimited) else (0, int(value))

    def bottom(self, choices: Sequence[str] = ()) -> Value:
        return 0

    def merge(self, rule: str, values: Sequence[Value], choices: Sequence[str] = ()) -> Value:
        if rule == "sum":
            return _sum(values)
        return super().merge(rule, values, choices)

    def times(self, value: Value, quantity: int) -> Value:
        if isinstance(value, Unlimited):
            return UNLIMITED if quantity else 0
        return min(int(value) * quantity, LARGEST_LIMIT)

    def add(self, value: Value, amount: Value, choices: Sequence[str] = ()) -> Value:
        return _sum([value, amount])

    def show(self, value: Value, names: Mapping[str, str] | None = None, unit: str = "") -> str:
        words = "Unlimited" if isinstance(value, Unlimited) else f"{value:,}"
        return f"{words} {unit}".rstrip()

    def as_json(self, value: Value) -> dict[str, Any]:
        unlimited = isinstance(value, Unlimited)
        return {"value": None if unlimited else value, "unlimited": unlimited}

    def from_json(self, data: Mapping[str, Any], choices: Sequence[str] = ()) -> Value:
        return UNLIMITED if data.get("unlimited") else super().from_json(data, choices)


def _sum(values: Iterable[Value]) -> Value:
    total = 0
    for value in values:
        if isinstance(value, Unlimited):
            return UNLIMITED
        total += int(value)
    return min(total, LARGEST_LIMIT)


class Level(Kind):
    code = "level"
    label = "Level"
    rules = ("highest",)

    def parse(self, raw: object, choices: Sequence[str] = ()) -> Value:
        if isinstance(raw, str) and raw in choices:
            return raw
        raise BadValue(f"{raw!r} is none of the choices: {', '.join(choices)}.")

    def rank(self, value: Value, choices: Sequence[str] = ()) -> tuple[int, int]:
        return (0, choices.index(str(value)))

    def bottom(self, choices: Sequence[str] = ()) -> Value:
        return choices[0]

    def show(self, value: Value, names: Mapping[str, str] | None = None, unit: str = "") -> str:
        return (names or {}).get(str(value), str(value))


KINDS: Final[Mapping[str, Kind]] = {kind.code: kind for kind in (Switch(), Limit(), Level())}


def kind_choices() -> list[tuple[str, str]]:
    """The kinds as Django `choices`; given as a callable, a new kind needs no migration."""
    return [(kind.code, kind.label) for kind in KINDS.values()]


def rule_choices() -> list[tuple[str, str]]:
    """All merge rules as Django `choices`."""
    return [(rule, rule) for rule in dict.fromkeys(rule for kind in KINDS.values() for rule in kind.rules)]
