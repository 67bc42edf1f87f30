"""What can be held at a customer, and what modules are called there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.db.models.functions import Lower

from catalog.models import Module
from customers.errors import NotFound, Refusal
from customers.models import Customer
from licensing.errors import ModuleIsHidden, ModuleNotAssignable, ModuleNotInPackage
from licensing.extra_info import parse_set
from licensing.facts import full_name
from licensing.models import ModuleLicense, Package
from licensing.recorded import SEALED, rows_of, trusted
from licensing.seating import Assignable, Inventory


def inventory_of(rows: Mapping[str, ModuleLicense]) -> Inventory:
    """Returns what the active packages' rows (by `owner.module`) let people hold."""
    return Inventory(
        {name: _as_assignable(row) for name, row in rows.items() if row.assignable},
        frozenset(name for name, row in rows.items() if row.license_type == ModuleLicense.Type.SITE),
    )


def known_module(customer: Customer, name: str) -> str:
    """Returns `owner.module` of a module that is licensed, in the catalog, or was licensed once. Raises NotFound."""
    return Names(customer, active_rows(customer)).known(name)


def qualified(name: str) -> str:
    """Returns `owner.module` in lower case; a bare name is the own owner's."""
    lowered = name.lower()
    return lowered if "." in lowered else full_name(settings.OWN_OWNER, lowered)


def active_rows(customer: Customer, at: datetime | None = None) -> dict[str, ModuleLicense]:
    """Returns the rows of the packages in force by `owner.module`, in two queries.

    What isn't as it was sealed is left out (Z-6).
    """
    packages = Package.objects.filter(customer=customer).active(at).select_related(*SEALED).order_by("pk")
    rows = rows_of(packages)
    good = [row for package in packages for row in trusted(package, rows[package.pk]) or ()]
    return {row.full_name: row for row in good}


class Names:
    """Reads the modules that wishes name, each name once: two queries for all those that the package doesn't have."""

    def __init__(self, customer: Customer, rows: Mapping[str, ModuleLicense]) -> None:
        self._customer, self._rows = customer, rows
        self._others: frozenset[str] | None = None
        self._refusals: dict[str, Refusal | None] = {}

    def known(self, name: str, held: frozenset[str] = frozenset()) -> str:
        """Returns the full name of a module that is held, licensed, in the catalog, or was licensed once.

        Raises NotFound.
        """
        module = qualified(name)
        if module in self._rows or module in held or module in self._elsewhere():
            return module
        raise NotFound("module", name)

    def assignable(self, name: str, held: frozenset[str] = frozenset()) -> str:
        """Returns the full name of a module people can be given. Raises NotFound and what is in the way."""
        module = self.known(name, held)
        if module not in self._refusals:
            self._refusals[module] = self._in_the_way(module)
        refusal = self._refusals[module]
        if refusal is not None:
            raise refusal
        return module

    def _in_the_way(self, module: str) -> Refusal | None:
        row = self._rows.get(module)
        if row is None:
            return ModuleNotInPackage(module)
        if row.license_type != ModuleLicense.Type.USER:
            return ModuleNotAssignable(module)
        if row.hidden:
            plans = sorted(n for n, r in self._rows.items() if r.is_plan and row.module_name in parse_set(r.extra_info))
            return ModuleIsHidden(module, plans)
        return None

    def _elsewhere(self) -> frozenset[str]:
        if self._others is None:
            catalogued = Module.objects.values_list("owner__code", Lower("name"))
            licensed = ModuleLicense.objects.filter(customer=self._customer).order_by()
            once = licensed.values_list("package__owner__code", Lower("module_name")).distinct()
            self._others = frozenset(full_name(owner, name) for rows in (catalogued, once) for owner, name in rows)
        return self._others


def _as_assignable(row: ModuleLicense) -> Assignable:
    owner = row.package.owner.code
    return Assignable(
        module=row.full_name,
        is_plan=row.is_plan,
        solutions=frozenset(row.solutions),
        prerequisite=full_name(owner, row.prerequisite_module) if row.prerequisite_module else None,
        switches_on=tuple(full_name(owner, name) for name in parse_set(row.extra_info)) if row.is_plan else (),
        total=row.license_number,
        unrestricted=row.unrestricted,
    )
