"""`was:` what has another code by now, and what it can't have been. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from catalog.document.names import Known, Names
from catalog.document.nodes import Record

Sections = Mapping[str, Mapping[str, Record]]
Former = dict[str, dict[str, str]]  # section → code → what it was

_OFFERS: Final = ("plans", "add_ons")
# Whatever has a code of ours; an owner's is known elsewhere too.
_RENAMED: Final = ("modules", "tiers", "solutions", "groups", "features", *_OFFERS)


def beside(section: str) -> tuple[str, ...]:
    """Returns the sections whose codes are one set with those of this one: plans and add-ons share theirs."""
    return _OFFERS if section in _OFFERS else (section,)


def read_renames(sections: Sections, names: Names, known: Known) -> Former:
    """Returns every `was`. A former code is nobody's name any longer, so nothing may refer to it; faults are told."""
    former: Former = {section: {} for section in _RENAMED}
    for section in _RENAMED:
        for code, record in sections[section].items():
            node = record.get("was")
            word = node.word() if node else None
            if node is None or word is None:
                continue
            was = names.full_name(word) if section == "modules" else word
            problem = _problem(section, code, was, sections, former) or _taken(code, was, _held(known, section))
            if problem:
                names.faults.add(node.place, problem)
            else:
                former[section][code] = was
                _forget(was, _held(names, section))
    return former


def _held(names: Known | Names, section: str) -> Any:
    return getattr(names, "offers" if section in _OFFERS else section)


def _forget(was: str, names: set[str] | dict[str, Any]) -> None:
    if isinstance(names, set):
        names.discard(was)
    else:
        names.pop(was, None)


def _problem(section: str, code: str, was: str, sections: Sections, former: Former) -> str:
    """Returns why `was` can't have become `code`, in words; nothing when it can."""
    if was == code:
        return "That is its code already; leave `was` out."
    if section == "modules" and was.partition(".")[0] != code.partition(".")[0]:
        return "A module stays with its owner."
    if any(was in sections[other] for other in beside(section)):
        return f"{was!r} is defined in these files too, so it isn't this one's former code."
    if any(was in former[other].values() for other in beside(section)):
        return f"{was!r} has become something else in these files already."
    return ""


def _taken(code: str, was: str, held: Collection[str]) -> str:
    if was in held and code in held:
        return f"There are both {was!r} and {code!r} by now, so one can't become the other. Leave `was` out."
    return ""
