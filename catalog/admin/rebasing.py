"""What rebasing a draft would take over and what is to be decided, arranged for reading."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from catalog.errors import Said
from catalog.kinds import KINDS, BadValue
from catalog.models import Feature
from catalog.services.rebasing import preview_rebase

_PARTS: Final = {
    "includes": "Includes",
    "extra_modules": "Extra module",
    "rules": "Rule",
    "max_quantity": "At most",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A path in words, and what each side says there."""

    path: str
    label: str
    base: str
    theirs: str
    mine: str
    chosen: str = ""


def rebase_context(version: Any, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the newer version, what would be taken over from it, and the conflicts with what was answered so far."""
    found = preview_rebase(version=version)
    if found is None:
        return {"newer": None, "taken": [], "conflicts": []}
    conflicts = found.merge.conflicts
    features = _features([*found.merge.taken, *(conflict.path for conflict in conflicts)])

    def line(path: str, base: Said | None, theirs: Said | None, mine: Said | None) -> Line:
        feature = features.get(path.removeprefix("grants."))
        was, other, own = (_spell(said, feature) for said in (base, theirs, mine))
        return Line(path, _label(path, feature), was, other, own, str(answers.get(f"choice:{path}", "")))

    return {
        "newer": found.newer,
        "taken": [line(path, None, theirs, mine) for path, (mine, theirs) in found.merge.taken.items()],
        "conflicts": [line(said.path, said.base, said.theirs, said.mine) for said in conflicts],
    }


def _features(paths: list[str]) -> dict[str, Any]:
    codes = [path.removeprefix("grants.") for path in paths if path.startswith("grants.")]
    return {row.code: row for row in Feature.objects.filter(code__in=codes).prefetch_related("choices")}


def _label(path: str, feature: Any) -> str:
    part, _, code = path.partition(".")
    return str(feature.name) if part == "grants" and feature else f"{_PARTS.get(part, '')} {code}".strip()


def _spell(said: Said | None, feature: Any) -> str:
    """Returns what is said in words: of a grant, as its feature spells it."""
    if said is None:
        return "not said"
    if feature is not None:
        names = {choice.code: choice.name for choice in feature.choices.all()}
        kind = KINDS[feature.kind]
        with suppress(BadValue):
            return kind.show(kind.parse(said, list(names)), names, feature.unit)
    if isinstance(said, bool):
        return "yes" if said else "no"
    return str(said)
