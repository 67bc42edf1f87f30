"""What a published version says, for good: the shape of `Version.content`. Pure.

`VersionContent.from_json` gives typed views over the frozen JSON, `to_json` writes it, `digest` names it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from catalog.kinds import KINDS, Kind, Value

FORMAT: Final = 1

SITE, USER = 1, 3  # LicenseType of domain rows; satellites (2) are known but never sold

Role = Literal["own", "feature", "extra", "marker"]


def digest(content: Mapping[str, Any]) -> str:
    """Returns the SHA-256, in hex, of the canonical JSON of `content`."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class OfferContent:
    """The plan or add-on itself, in the words of the day it was published.

    `tier` is the tier it is sold as: its own or, for a plan without one, the highest among what it includes.
    """

    code: str
    type: str
    name: str
    description: str
    scope: str
    solutions: tuple[str, ...]
    tier: str | None
    tier_name: str | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> OfferContent:
        return cls(**{**data, "solutions": tuple(data["solutions"])})

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "type": self.type,
            "name": self.name,
            "description": self.description,
            "scope": self.scope,
            "solutions": list(self.solutions),
            "tier": self.tier,
            "tier_name": self.tier_name,
        }


@dataclass(frozen=True, slots=True)
class ModuleContent:
    """A licence name that the version ships, with its attributes. `prerequisite` is an `owner.module` name too."""

    owner: str
    name: str
    type: int
    description: str
    tooltip: str
    hidden: bool
    unrestricted: bool
    prerequisite: str | None
    sort_order: int
    role: Role = "feature"

    @property
    def full_name(self) -> str:
        return f"{self.owner.lower()}.{self.name}"

    @property
    def is_user_module(self) -> bool:
        return self.type == USER

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModuleContent:
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        return {
            "owner": self.owner,
            "name": self.name,
            "type": self.type,
            "description": self.description,
            "tooltip": self.tooltip,
            "hidden": self.hidden,
            "unrestricted": self.unrestricted,
            "prerequisite": self.prerequisite,
            "sort_order": self.sort_order,
            "role": self.role,
        }


@dataclass(frozen=True, slots=True)
class ChoiceContent:
    """One step of a level, with the modules that carry it (if not those of the feature)."""

    code: str
    name: str
    site_module: str | None = None
    user_module: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "name": self.name,
            "site_module": self.site_module,
            "user_module": self.user_module,
        }


@dataclass(frozen=True, slots=True)
class FeatureDefinition:
    """What a feature is, apart from the value some version gives it. `choices` go from lowest to highest."""

    code: str
    name: str
    description: str
    group: str
    group_name: str
    kind: str
    rule: str
    unit: str = ""
    counts: str = ""
    resets: str = ""
    choices: tuple[ChoiceContent, ...] = ()
    site_module: str | None = None
    user_module: str | None = None
    read_only_without_seat: bool = True

    @property
    def choice_codes(self) -> tuple[str, ...]:
        return tuple(choice.code for choice in self.choices) if self.choices else ()

    @property
    def choice_names(self) -> dict[str, str]:
        return {choice.code: choice.name for choice in self.choices}

    @property
    def behaviour(self) -> Kind:
        """How values of this feature are read, ordered and merged."""
        return KINDS[self.kind]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "description": self.description,
            "group": self.group,
            "group_name": self.group_name,
            "kind": self.kind,
            "rule": self.rule,
            "unit": self.unit,
            "counts": self.counts,
            # Left out where it says nothing, so that the digests of what was published before stay.
            **({"resets": self.resets} if self.resets else {}),
            "choices": [choice.to_json() for choice in self.choices],
            "site_module": self.site_module,
            "user_module": self.user_module,
            "read_only_without_seat": self.read_only_without_seat,
        }


@dataclass(frozen=True, slots=True)
class FeatureContent:
    """A feature that the version grants: its definition, the parsed value, and where the grant comes from.

    `origin` is the code of the plan or add-on that defined the grant, `origin_version` its number (None: this very
    version), `depth` how many includes away it is (0: an own grant). `position` orders features over all groups.
    """

    definition: FeatureDefinition
    value: Value
    origin: str
    origin_version: int | None
    depth: int
    position: int

    @property
    def code(self) -> str:
        return self.definition.code

    @property
    def shown(self) -> str:
        """The value in words for people."""
        definition = self.definition
        return definition.behaviour.show(self.value, definition.choice_names, definition.unit)

    @property
    def granted_choices(self) -> tuple[ChoiceContent, ...]:
        """The choices of a level up to the granted one; of another kind, none."""
        codes = self.definition.choice_codes
        if self.value not in codes:
            return ()
        return self.definition.choices[: codes.index(str(self.value)) + 1]

    @property
    def module_names(self) -> tuple[str, ...]:
        """The `owner.module` names that carry the grant: of the feature and of every choice up to the granted one."""
        names = [self.definition.site_module, self.definition.user_module]
        for choice in self.granted_choices:
            names += [choice.site_module, choice.user_module]
        return tuple(dict.fromkeys(name for name in names if name))

    def inherited(self, version: int, position: int | None = None) -> FeatureContent:
        """Returns the same grant as seen by who includes `version` (a number) of the plan that has it.

        `position` is the feature's place by now, if that is known.
        """
        place = self.position if position is None else position
        return replace(self, depth=self.depth + 1, origin_version=self.origin_version or version, position=place)

    @classmethod
    def from_json(cls, code: str, data: Mapping[str, Any]) -> FeatureContent:
        rest = dict(data)
        grant = {name: rest.pop(name) for name in ("origin", "origin_version", "depth", "position")}
        raw = {"value": rest.pop("value"), "unlimited": rest.pop("unlimited", False)}
        choices = tuple(ChoiceContent(**choice) for choice in rest.pop("choices"))
        definition = FeatureDefinition(code=code, choices=choices, **rest)
        return cls(definition, definition.behaviour.from_json(raw, definition.choice_codes), **grant)

    def to_json(self) -> dict[str, Any]:
        return {
            **self.definition.to_json(),
            **self.definition.behaviour.as_json(self.value),
            "origin": self.origin,
            "origin_version": self.origin_version,
            "depth": self.depth,
            "position": self.position,
        }


@dataclass(frozen=True, slots=True)
class IncludeContent:
    """The version of another plan that was taken in."""

    code: str
    version: int


@dataclass(frozen=True, slots=True)
class VersionContent:
    """Everything a frozen version says. `module` is its own licence name, `set_names` the list behind `set=`."""

    offer: OfferContent
    module: str | None
    modules: Mapping[str, ModuleContent]
    set_names: tuple[str, ...]
    features: Mapping[str, FeatureContent]
    includes: tuple[IncludeContent, ...] = ()
    needs: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    max_quantity: int | None = None

    @property
    def own_module(self) -> ModuleContent | None:
        return self.modules[self.module] if self.module is not None else None

    @property
    def extra_info(self) -> str:
        """What ExtraInfo of the version's own licence row says (C-11)."""
        return f"set={','.join(self.set_names)}"

    @property
    def ordered_features(self) -> list[FeatureContent]:
        return sorted(self.features.values(), key=lambda feature: (feature.position, feature.code))

    @property
    def ordered_modules(self) -> list[ModuleContent]:
        return sorted(self.modules.values(), key=lambda module: (module.owner, module.sort_order, module.name))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> VersionContent:
        """Returns typed views over what `to_json` wrote. Raises ValueError for a format it doesn't know."""
        if data["format"] != FORMAT:
            raise ValueError(f"Content of format {data['format']!r}, not {FORMAT}.")
        return cls(
            offer=OfferContent.from_json(data["offer"]),
            module=data["module"],
            modules={name: ModuleContent.from_json(module) for name, module in data["modules"].items()},
            set_names=tuple(data["set"]),
            features={code: FeatureContent.from_json(code, feature) for code, feature in data["features"].items()},
            includes=tuple(IncludeContent(**include) for include in data["includes"]),
            needs=tuple(data["rules"]["needs"]),
            excludes=tuple(data["rules"]["excludes"]),
            max_quantity=data["max_quantity"],
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the content as it is frozen; the same content always gives the same JSON."""
        return {
            "format": FORMAT,
            "offer": self.offer.to_json(),
            "module": self.module,
            "modules": {module.full_name: module.to_json() for module in self.ordered_modules},
            "set": list(self.set_names),
            "features": {feature.code: feature.to_json() for feature in self.ordered_features},
            "includes": [{"code": include.code, "version": include.version} for include in self.includes],
            "rules": {"needs": list(self.needs), "excludes": list(self.excludes)},
            "max_quantity": self.max_quantity,
        }
