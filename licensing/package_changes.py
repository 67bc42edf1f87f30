"""What a package would change, module by module, against the one in force (C-27). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Supply:
    """How many there are of a module; None for unrestricted ones. `name` is what people read."""

    name: str
    total: int | None
    is_user: bool = True


@dataclass(frozen=True, slots=True)
class ModuleChange:
    """A module of both packages or of one; totals are None where it is unrestricted, 0 where it isn't there."""

    module: str
    name: str
    is_user: bool
    was: int | None
    now: int | None
    in_use: int

    @property
    def is_changed(self) -> bool:
        return self.was != self.now

    @property
    def added(self) -> int:
        """How many more there are than before; fewer is negative."""
        return (self.now or 0) - (self.was or 0)

    @property
    def new_free(self) -> int | None:
        return None if self.now is None else self.now - self.in_use

    @property
    def superfluous(self) -> int:
        """How many have to be given back before it fits."""
        return 0 if self.now is None or not self.is_user else max(0, self.in_use - self.now)

    def as_json(self) -> dict[str, Any]:
        return {
            "module": self.module,
            "total": self.was,
            "new_total": self.now,
            "added": self.added,
            "in_use": self.in_use,
            "new_free": self.new_free,
            "superfluous": self.superfluous,
        }


def compare_supplies(
    before: Mapping[str, Supply], after: Mapping[str, Supply], in_use: Mapping[str, int]
) -> list[ModuleChange]:
    """Returns what differs between two packages' supplies (by `owner.module`), and what would be superfluous."""
    found = []
    for module in sorted({*before, *after}):
        known = after.get(module) or before[module]
        was, now = (side[module].total if module in side else 0 for side in (before, after))
        change = ModuleChange(module, known.name, known.is_user, was, now, in_use.get(module, 0))
        if change.is_changed or change.superfluous:
            found.append(change)
    return found
