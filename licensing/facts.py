"""What `resolve` is told: frozen data, and nothing that touches a database. Pure.

Modules are written `owner.module`, the owner in lower case (C-1, C-2).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.kinds import KINDS, Kind, Value


class Access(enum.IntEnum):
    NONE = 0
    VIEW = 1
    EDIT = 2

    @property
    def word(self) -> str:
        return self.name.lower()


class DateState(enum.StrEnum):
    """What an owner's package is at an instant (C-30 to C-32), by its half-open dates."""

    ACTIVE = "active"
    WARNING = "warning"
    GRACE = "grace"
    STOPPED = "stopped"
    NONE = "none"  # no active package; acts as stopped

    @property
    def works(self) -> bool:
        return self not in (DateState.STOPPED, DateState.NONE)


class Mode(enum.StrEnum):
    """How an override changes a value, in the order in which the modes are applied."""

    SET = "set"
    ADD = "add"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    DENY = "deny"

    @property
    def gives(self) -> bool:
        """Whether it can grant a feature that nothing else does; the others only take away."""
        return self in (Mode.SET, Mode.ADD, Mode.AT_LEAST)


class HolderKind(enum.StrEnum):
    USER = "user"
    CUSTOMER = "customer"  # the customer's own answer: as if every visible module sold were held
    INACTIVE = "inactive"  # former employees and users who can't log in


@dataclass(frozen=True, slots=True)
class Choice:
    """A step of a level; its own modules, if it names any, stand in place of the feature's."""

    code: str
    name: str = ""
    site_module: str | None = None
    user_module: str | None = None


@dataclass(frozen=True, slots=True)
class FeatureDef:
    """A feature as a version (or override, or import) froze it."""

    code: str
    kind: str
    rule: str
    name: str = ""
    unit: str = ""
    counts: str = ""
    resets: str = ""
    choices: tuple[Choice, ...] = ()
    site_module: str | None = None
    user_module: str | None = None
    read_only_without_seat: bool = True

    @property
    def behaviour(self) -> Kind:
        return KINDS[self.kind]

    @property
    def choice_codes(self) -> tuple[str, ...]:
        return tuple(choice.code for choice in self.choices)

    @classmethod
    def from_json(cls, code: str, data: Mapping[str, Any]) -> FeatureDef:
        """Returns the definition inside a frozen feature of a version's content, or of an override."""
        return cls(
            code=code,
            kind=data["kind"],
            rule=data["rule"],
            name=data.get("name", ""),
            unit=data.get("unit", ""),
            counts=data.get("counts", ""),
            resets=data.get("resets", ""),
            choices=tuple(
                Choice(choice["code"], choice.get("name", ""), choice.get("site_module"), choice.get("user_module"))
                for choice in data.get("choices", ())
            ),
            site_module=data.get("site_module"),
            user_module=data.get("user_module"),
            read_only_without_seat=data.get("read_only_without_seat", True),
        )

    def as_json(self) -> dict[str, Any]:
        """Returns the definition as plain data; `from_json` reads it back."""
        return {
            "kind": self.kind,
            "rule": self.rule,
            "name": self.name,
            "unit": self.unit,
            "counts": self.counts,
            **({"resets": self.resets} if self.resets else {}),
            "choices": [
                {"code": c.code, "name": c.name, "site_module": c.site_module, "user_module": c.user_module}
                for c in self.choices
            ],
            "site_module": self.site_module,
            "user_module": self.user_module,
            "read_only_without_seat": self.read_only_without_seat,
        }


@dataclass(frozen=True, slots=True)
class Grant:
    """A feature's value in a source; `origin` is the code of the plan or add-on whose version defined it."""

    feature: FeatureDef
    value: Value
    origin: str


@dataclass(frozen=True, slots=True)
class Source:
    """A row of an active package that grants: a plan, an add-on, or an imported row.

    A *seat* source counts for those who hold its `module`; a site source for everybody.
    """

    code: str
    module: str
    owner: str
    grants: tuple[Grant, ...] = ()
    name: str = ""
    is_plan: bool = True
    is_seat: bool = True
    version: int | None = None
    tier: str | None = None
    solutions: tuple[str, ...] = ()
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Override:
    """A deviation for one customer (`subject` "customer") or one user ("user"); `ref` names the recorded row."""

    feature: FeatureDef
    mode: Mode
    value: Value | None = None  # none only for deny
    subject: str = "customer"
    ref: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """Everything about a customer that answers depend on, at one instant."""

    own_owner: str
    states: Mapping[str, DateState] = field(default_factory=dict)  # per owner code
    sources: tuple[Source, ...] = ()
    site_modules: frozenset[str] = frozenset()
    visible_modules: frozenset[str] = frozenset()  # user modules that can be held, plans included
    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # plan module → the hidden modules it switches on
    overrides: tuple[Override, ...] = ()

    def state_of(self, owner: str) -> DateState:
        return self.states.get(owner, DateState.NONE)

    @property
    def status(self) -> DateState:
        return self.state_of(self.own_owner)

    def works(self, module: str) -> bool:
        """Whether the package that carries `module` has not stopped."""
        return self.state_of(owner_of(module)).works


@dataclass(frozen=True, slots=True)
class Holding:
    """What one user holds: visible modules by seat, and overrides of their own."""

    kind: HolderKind = HolderKind.USER
    modules: frozenset[str] = frozenset()
    overrides: tuple[Override, ...] = ()


def owner_of(module: str) -> str:
    """Returns the owner code (upper case) of `owner.module`."""
    return module.partition(".")[0].upper()


def full_name(owner: str, module: str) -> str:
    """Returns `owner.module`, the owner in lower case (C-1, C-2)."""
    return f"{owner.lower()}.{module}"
