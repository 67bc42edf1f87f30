"""Differences in the words of those who make plans: a line each, with the names of what it is about. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from catalog.content.comparing import Diff, DiffLine, TermChange
from catalog.content.shape import VersionContent

KINDS_OF_LINE: Final[Mapping[str, str]] = {
    "added": "Added",
    "removed": "Removed",
    "raised": "Raised",
    "lowered": "Lowered",
    "changed": "Changed",
    "module-in": "Module in",
    "module-out": "Module out",
    "set-in": "Into set=",
    "set-out": "Out of set=",
    "rules": "Rules",
    "terms": "Terms",
    "words": "Words",
}
_RULES: Final = ("includes", "needs", "excludes", "max_quantity")
_NAMES: Final[Mapping[str, str]] = {
    "includes": "Includes",
    "needs": "Needs",
    "excludes": "Excludes",
    "max_quantity": "At most",
    "module": "Its own module",
    "set": "Order in set=",
    "features": "Order of features",
    "changelog": "Changelog",
    "tier_name": "name of the tier",
    "counts": "what it counts",
    "resets": "when it starts again",
    "origin": "granted by",
    "group": "group (code)",
    "group_name": "group",
    "role": "why it is shipped",
    "read_only_without_seat": "can be seen without a seat",
}


def tell(
    changes: Diff, old: VersionContent | None, new: VersionContent, *, changelogs: tuple[str, str] = ("", "")
) -> list[DiffLine]:
    """Returns every difference of `diff(old, new)` as a line: features first, then modules, rules, terms and words.

    Each line's `kind` is a value of KINDS_OF_LINE. `changelogs` are what the two versions say is new in them; contents
    don't hold that.
    """
    teller = _Teller(_feature_names(old) | _feature_names(new))
    return [line for lines in teller.tell(changes, changelogs) for line in lines]


def _feature_names(content: VersionContent | None) -> dict[str, str]:
    return {code: feature.definition.name for code, feature in content.features.items()} if content else {}


@dataclass(frozen=True, slots=True)
class _Teller:
    names: Mapping[str, str]  # of features, by code

    def tell(self, changes: Diff, changelogs: tuple[str, str]) -> Iterator[list[DiffLine]]:
        for kind in ("added", "removed", "raised", "lowered"):
            yield [
                DiffLine(KINDS_OF_LINE[kind], change.name, change.was, change.now, f"features.{change.code}")
                for change in getattr(changes, kind)
            ]
        yield self._terms("changed", changes.changed)
        yield [DiffLine("Module in", name, "", "shipped", f"modules.{name}") for name in changes.modules_in]
        yield [DiffLine("Module out", name, "shipped", "", f"modules.{name}") for name in changes.modules_out]
        yield [DiffLine("Into set=", name, "", "listed", f"set.{name}") for name in changes.set_in]
        yield [DiffLine("Out of set=", name, "listed", "", f"set.{name}") for name in changes.set_out]
        yield self._terms("rules", tuple(term for term in changes.terms if _is_rule(term)))
        yield self._terms("terms", tuple(term for term in changes.terms if not _is_rule(term)))
        said = (TermChange("changelog", *changelogs),) if changelogs[0] != changelogs[1] else ()
        yield self._terms("words", (*changes.words, *said))

    def _terms(self, kind: str, terms: tuple[TermChange, ...]) -> list[DiffLine]:
        return [DiffLine(KINDS_OF_LINE[kind], self.label(t.path), t.was, t.now, t.path) for t in terms]

    def label(self, path: str) -> str:
        """Returns a path in words: `features.saint.name` as `Saint: name`, `rules.needs` as `Needs`."""
        part, _, rest = path.partition(".")
        if not rest or part == "rules":
            return _word(rest or part).capitalize() if (rest or part) not in _NAMES else _NAMES[rest or part]
        if part == "features":
            code, _, field = rest.partition(".")
            return f"{self.names.get(code, code)}: {_field(field)}"
        owner, _, field = rest.rpartition(".")
        return f"{owner}: {_field(field)}" if owner else _field(field).capitalize()


def _is_rule(term: TermChange) -> bool:
    return term.path.rpartition(".")[2] in _RULES


def _field(path: str) -> str:
    """Returns the last part of a path in words; of a choice, with its code."""
    if path.startswith("choices."):
        code, _, field = path.removeprefix("choices.").partition(".")
        return f"choice {code}" + (f", {_word(field)}" if field else "")
    return _word(path)


def _word(name: str) -> str:
    return _NAMES.get(name, name.replace("_", " "))
