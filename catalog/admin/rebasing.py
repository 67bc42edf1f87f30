"""What rebasing a draft would take over and what is to be decided, arranged for reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from catalog.errors import Said
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
    names = _feature_names([*found.merge.taken, *(conflict.path for conflict in conflicts)])
    return {
        "newer": found.newer,
        "taken": [
            Line(path, _label(path, names), "", _spell(theirs), _spell(mine))
            for path, (mine, theirs) in found.merge.taken.items()
        ],
        "conflicts": [
            Line(
                conflict.path,
                _label(conflict.path, names),
                _spell(conflict.base),
                _spell(conflict.theirs),
                _spell(conflict.mine),
                str(answers.get(f"choice:{conflict.path}", "")),
            )
            for conflict in conflicts
        ],
    }


def _feature_names(paths: list[str]) -> dict[str, str]:
    codes = [path.removeprefix("grants.") for path in paths if path.startswith("grants.")]
    return dict(Feature.objects.filter(code__in=codes).values_list("code", "name"))


def _label(path: str, names: Mapping[str, str]) -> str:
    part, _, code = path.partition(".")
    return names.get(code, code) if part == "grants" else f"{_PARTS[part]} {code}".strip()


def _spell(said: Said | None) -> str:
    if isinstance(said, bool):
        return "yes" if said else "no"
    return "not said" if said is None else str(said)
