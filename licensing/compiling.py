"""Items in force → the rows of a package. Pure: the same input gives the same rows, in the same order.

Site modules count once; hidden user modules cover all plans containing them; an unrestricted plan makes its hidden
modules unrestricted; each plan's own row carries `set=` and its frozen grants (C-10, C-11, C-15, C-16).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from licensing.extra_info import compose_set
from licensing.resolution import canonical, digest

SITE: Final = 1
USER: Final = 3
PLAN_FLAG: Final = 1
MARKER_FLAG: Final = 2  # a site module that labels a plan


@dataclass(frozen=True, slots=True)
class CompiledItem:
    """How many of which version; `content` is the version's frozen content."""

    version_id: int
    number: int
    quantity: int
    content: Mapping[str, Any]

    @property
    def code(self) -> str:
        return str(self.content["offer"]["code"])

    @property
    def is_unrestricted_plan(self) -> bool:
        own = self.content["module"]
        return bool(self.content["offer"]["type"] == "plan" and own and self.content["modules"][own]["unrestricted"])


@dataclass(slots=True)
class Row:
    """A module licence about to be written; the fields are those of domain B2."""

    module_name: str
    module_description: str
    tooltip: str
    license_type: int
    license_number: int = 0
    unrestricted: bool = False
    hidden: bool = False
    prerequisite_module: str = ""
    extra_flags: int = 0
    extra_info: str = ""
    order: int = 0
    sort_order: int = 0
    version_id: int | None = None
    version_number: int | None = None
    offer_code: str = ""
    is_plan: bool = False
    tier: str = ""
    solutions: list[str] = field(default_factory=list)
    grants: dict[str, Any] = field(default_factory=dict)

    @property
    def allowed_user_type(self) -> str:
        return "InternalAssociate" if self.license_type == USER else ""

    def check(self, license_version: str) -> str:
        """Returns the SHA-256 over every field that says what is licensed, hex."""
        told = {name: getattr(self, name) for name in self.__slots__ if name not in ("order", "version_id")}
        return digest(canonical(told | {"module_version": license_version}))


def compile_rows(items: Iterable[CompiledItem]) -> list[Row]:
    """Returns the rows that `items` make, numbered in sort order."""
    rows: dict[str, Row] = {}
    for item in sorted(items, key=lambda item: (item.code, item.number)):
        for name, module in sorted(item.content["modules"].items()):
            row = rows.setdefault(name, _row(module))
            row.unrestricted |= module["unrestricted"]
            if name == item.content["module"]:
                _make_own(row, item)
            else:
                _ship(row, item)
    ordered = sorted(rows.values(), key=lambda row: (row.order, row.module_name))
    for position, row in enumerate(ordered, start=1):
        row.sort_order = position
        row.license_number = row.license_number or 1  # what is for the whole site; C-10
    return ordered


def _row(module: Mapping[str, Any]) -> Row:
    return Row(
        module_name=module["name"],
        module_description=module["description"],
        tooltip=module["tooltip"],
        license_type=module["type"],
        unrestricted=module["unrestricted"],
        hidden=module["hidden"],
        prerequisite_module=(module["prerequisite"] or "").partition(".")[2],
        extra_flags=MARKER_FLAG if module["role"] == "marker" and module["type"] == SITE else 0,
        order=module["sort_order"],
    )


def _ship(row: Row, item: CompiledItem) -> None:
    """Counts what a plan or add-on brings along for users. Plans alone switch hidden modules on, so they alone add."""
    if row.license_type == SITE or (row.hidden and item.content["offer"]["scope"] == "site"):
        return
    row.license_number += item.quantity
    if row.hidden and item.is_unrestricted_plan:
        row.unrestricted = True


def _make_own(row: Row, item: CompiledItem) -> None:
    """Makes a row the plan's or add-on's own: counted by quantity, carrying what it grants."""
    offer = item.content["offer"]
    row.license_number += item.quantity
    row.version_id = item.version_id
    row.version_number = item.number
    row.offer_code = offer["code"]
    row.is_plan = offer["type"] == "plan"
    row.tier = offer["tier"] or ""
    row.solutions = list(offer["solutions"])
    row.grants = dict(item.content["features"])
    if row.is_plan:
        row.extra_flags = PLAN_FLAG
        row.extra_info = compose_set(item.content["set"])


def header_digest(header: Mapping[str, Any], checks: Sequence[str]) -> str:
    """Returns the digest of a package: its header and the checks of its rows in sort order."""
    return digest(canonical({"header": dict(header), "rows": list(checks)}))
