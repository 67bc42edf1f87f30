"""Three-way merge of what versions say by themselves: the base of a draft, what was published since, the draft. Pure.

Each side is a mapping of a path (`grants.email-limit`, `includes.common`, `rules.cep`, …) to what is said there; a
path that is absent is not said. True is not 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from catalog.errors import Conflict, Said

Says: TypeAlias = Mapping[str, Said]
Side: TypeAlias = Literal["mine", "theirs"]


@dataclass(frozen=True, slots=True)
class Merge:
    """What both sides come to: `merged` without the paths in conflict, `taken` what only theirs changed, per path."""

    merged: Says
    taken: Mapping[str, tuple[Said | None, Said | None]]
    conflicts: tuple[Conflict, ...]

    def resolve(self, choices: Mapping[str, Side]) -> dict[str, Said]:
        """Returns all of it, each conflict as chosen. Raises KeyError for a conflict that nobody decided."""
        found = dict(self.merged)
        for conflict in self.conflicts:
            said = conflict.mine if choices[conflict.path] == "mine" else conflict.theirs
            if said is not None:
                found[conflict.path] = said
        return found


def merge(base: Says, theirs: Says, mine: Says) -> Merge:
    """Returns what `theirs` and `mine` made of `base`, put together: a path only one of them changed is as it has it.

    A path that both changed differently is a conflict. `merge(base, x, base)` is x, and so is `merge(base, x, x)`.
    """
    merged: dict[str, Said] = {}
    taken: dict[str, tuple[Said | None, Said | None]] = {}
    conflicts: list[Conflict] = []
    for path in sorted({*base, *theirs, *mine}):
        was, other, own = base.get(path), theirs.get(path), mine.get(path)
        if not _same(own, was) and not _same(other, was) and not _same(own, other):
            conflicts.append(Conflict(path, was, other, own))
            continue
        said = other if _same(own, was) else own
        if not _same(said, own):
            taken[path] = (own, said)
        if said is not None:
            merged[path] = said
    return Merge(merged, taken, tuple(conflicts))


def _same(one: Said | None, other: Said | None) -> bool:
    return (type(one), one) == (type(other), other)
