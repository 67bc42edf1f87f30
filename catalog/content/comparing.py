"""What two contents differ in, as a product manager asks it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from catalog.content.shape import FeatureContent, VersionContent
from catalog.targets import in_words


@dataclass(frozen=True, slots=True)
class FeatureChange:
    """A feature whose grant differs. `was` and `now` are values in words, empty where it is not granted."""

    code: str
    name: str
    was: str = ""
    now: str = ""


@dataclass(frozen=True, slots=True)
class TermChange:
    """Anything else that differs: `path` says what, for instance `features.saint.name` or `rules.needs`."""

    path: str
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One difference as a line of a table: its kind in words, what it is about, was and now, empty where there is none.

    `path` is what it is about for machines, where that is told.
    """

    kind: str
    what: str
    was: str
    now: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Diff:
    """Everything that differs between two contents. `changed` features behave otherwise, `words` read otherwise.

    It is empty when the contents are the same but for numbers that only order things, or count includes' versions.
    """

    added: tuple[FeatureChange, ...] = ()
    removed: tuple[FeatureChange, ...] = ()
    raised: tuple[FeatureChange, ...] = ()
    lowered: tuple[FeatureChange, ...] = ()
    changed: tuple[TermChange, ...] = ()
    modules_in: tuple[str, ...] = ()
    modules_out: tuple[str, ...] = ()
    set_in: tuple[str, ...] = ()
    set_out: tuple[str, ...] = ()
    terms: tuple[TermChange, ...] = ()
    words: tuple[TermChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self == Diff()

    @property
    def lines(self) -> list[DiffLine]:
        """Every difference in one list: features first, then modules, terms and words."""
        features = {"Added": self.added, "Removed": self.removed, "Raised": self.raised, "Lowered": self.lowered}
        rest = {"Changed": self.changed, "Terms": self.terms, "Words": self.words}
        return [
            *(DiffLine(kind, change.name, change.was, change.now) for kind in features for change in features[kind]),
            *(DiffLine("Module in", name, "", "shipped") for name in self.modules_in),
            *(DiffLine("Module out", name, "shipped", "") for name in self.modules_out),
            *(DiffLine("Into set=", name, "", "listed") for name in self.set_in),
            *(DiffLine("Out of set=", name, "listed", "") for name in self.set_out),
            *(DiffLine(kind, change.path, change.was, change.now) for kind in rest for change in rest[kind]),
        ]


_FEATURE_WORDS = ("name", "description", "group", "group_name")
_FEATURE_TERMS = (
    *("kind", "rule", "unit", "counts", "resets"),
    *("site_module", "user_module", "read_only_without_seat"),
)
_MODULE_WORDS = ("description", "tooltip")
_MODULE_TERMS = ("type", "hidden", "unrestricted", "prerequisite", "role")
_CHOICE_TERMS = ("site_module", "user_module")
_OFFER_WORDS = ("name", "description", "tier_name")
_OFFER_TERMS = ("scope", "solutions", "tier")


def diff(old: VersionContent | None, new: VersionContent) -> Diff:
    """Returns what changes from `old` (None: nothing was published yet) to `new`."""
    before: Mapping[str, FeatureContent] = old.features if old else {}
    modules_before = old.modules if old else {}
    set_before = old.set_names if old else ()
    raised, lowered = _moved(before, new)
    return Diff(
        added=tuple(_added(f) for f in new.ordered_features if f.code not in before),
        removed=tuple(_removed(f) for f in (old.ordered_features if old else ()) if f.code not in new.features),
        raised=tuple(raised),
        lowered=tuple(lowered),
        changed=tuple(_changed_features(before, new)),
        modules_in=tuple(sorted(new.modules.keys() - modules_before.keys())),
        modules_out=tuple(sorted(modules_before.keys() - new.modules.keys())),
        set_in=tuple(name for name in new.set_names if name not in set_before),
        set_out=tuple(name for name in set_before if name not in new.set_names),
        terms=tuple(_changed_terms(old, new)) if old else (),
        words=tuple(_changed_words(old, new)) if old else (),
    )


def _added(feature: FeatureContent) -> FeatureChange:
    return FeatureChange(feature.code, feature.definition.name, now=feature.shown)


def _removed(feature: FeatureContent) -> FeatureChange:
    return FeatureChange(feature.code, feature.definition.name, was=feature.shown)


def _moved(
    before: Mapping[str, FeatureContent], new: VersionContent
) -> tuple[list[FeatureChange], list[FeatureChange]]:
    raised: list[FeatureChange] = []
    lowered: list[FeatureChange] = []
    for now in new.ordered_features:
        was = before.get(now.code)
        if was is None or was.value == now.value or was.definition.kind != now.definition.kind:
            continue
        choices = now.definition.choice_codes
        if was.definition.choices and was.value not in choices:
            continue  # a value that is no longer a choice is told as a changed definition
        rank = now.definition.behaviour.rank
        change = FeatureChange(now.code, now.definition.name, was.shown, now.shown)
        (raised if rank(now.value, choices) > rank(was.value, choices) else lowered).append(change)
    return raised, lowered


def _changed_features(before: Mapping[str, FeatureContent], new: VersionContent) -> Iterator[TermChange]:
    for now in new.ordered_features:
        was = before.get(now.code)
        if was is None or was.definition == now.definition:
            continue
        path = f"features.{now.code}"
        yield from _differences(path, was.definition.to_json(), now.definition.to_json(), _FEATURE_TERMS)
        if was.definition.choice_codes != now.definition.choice_codes:
            choices = (", ".join(feature.definition.choice_codes) for feature in (was, now))
            yield TermChange(f"{path}.choices", *choices)
        carried = {choice.code: choice.to_json() for choice in was.definition.choices}
        for choice in now.definition.choices:
            if choice.code in carried:
                yield from _differences(
                    f"{path}.choices.{choice.code}", carried[choice.code], choice.to_json(), _CHOICE_TERMS
                )


def _changed_terms(old: VersionContent, new: VersionContent) -> Iterator[TermChange]:
    yield from _differences("offer", old.offer.to_json(), new.offer.to_json(), _OFFER_TERMS)
    for name, module in new.modules.items():
        if name in old.modules:
            was = old.modules[name].to_json()
            yield from _differences(f"modules.{name}", was, module.to_json(), _MODULE_TERMS)
    was, now = (replace(content, features={}).to_json() for content in (old, new))
    yield from _differences("rules", _in_words(was["rules"]), _in_words(now["rules"]), ("needs", "excludes"))
    yield from _differences("", was, now, ("module", "max_quantity"))
    for data in (was, now):
        data["includes"] = [f"{include['code']} v{include['version']}" for include in data["includes"]]
    yield from _differences("", was, now, ("includes",))
    if old.set_names != new.set_names and sorted(old.set_names) == sorted(new.set_names):
        yield TermChange("set", ",".join(old.set_names), ",".join(new.set_names))
    for feature in new.ordered_features:
        held = old.features.get(feature.code)
        if held is not None and held.value == feature.value and held.origin != feature.origin:
            yield TermChange(f"features.{feature.code}.origin", held.origin, feature.origin)


def _in_words(rules: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {verb: [in_words(target, verb) for target in targets] for verb, targets in rules.items()}


def _changed_words(old: VersionContent, new: VersionContent) -> Iterator[TermChange]:
    yield from _differences("offer", old.offer.to_json(), new.offer.to_json(), _OFFER_WORDS)
    for now in new.ordered_features:
        was = old.features.get(now.code)
        if was is not None and was.definition != now.definition:
            path = f"features.{now.code}"
            yield from _differences(path, was.definition.to_json(), now.definition.to_json(), _FEATURE_WORDS)
            names = was.definition.choice_names
            for code, name in now.definition.choice_names.items():
                if names.get(code, name) != name:
                    yield TermChange(f"{path}.choices.{code}", names[code], name)
    for name, module in new.modules.items():
        if name in old.modules:
            before = old.modules[name].to_json()
            yield from _differences(f"modules.{name}", before, module.to_json(), _MODULE_WORDS)
    orders = [
        [feature.code for feature in these.ordered_features if feature.code in others.features]
        for these, others in ((old, new), (new, old))
    ]
    if orders[0] != orders[1]:
        moved = next(pair for pair in zip(*orders, strict=True) if pair[0] != pair[1])
        yield TermChange("features", *(f"… {code} …" for code in moved))


def _differences(
    path: str, was: Mapping[str, Any], now: Mapping[str, Any], names: tuple[str, ...]
) -> Iterator[TermChange]:
    for name in names:
        before, after = was.get(name, ""), now.get(name, "")  # what says nothing is left out
        if before != after:
            yield TermChange(f"{path}.{name}" if path else name, _spell(before), _spell(after))


def _spell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
