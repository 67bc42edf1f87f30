"""ACME, a partner that issues packages of its own to customers of ours, and what it takes for us to trust them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from catalog.models import Owner
from customers.actor import SYSTEM
from licensing.models import OwnerKey, OwnerPlan
from licensing.package_form import PackageForm
from licensing.services.importing import Imported, import_package
from licensing.services.keys import register_key
from licensing.signing import SigningKey
from tests.factories.catalog import NOON
from tests.licensing.issuing import KEY, signed_xml, sound_package
from tests.licensing.market import Town


class Partner:
    """An owner with a key in our ring; it issues `sound_package` unless told otherwise."""

    def __init__(self, code: str = "ACME", key: SigningKey = KEY) -> None:
        self.owner: Owner = Owner.objects.create(code=code, name=code.title())
        self.signs_with = key
        self.key: OwnerKey = register_key(
            actor=SYSTEM, owner=self.owner, public_key=key.public.text, valid_from=NOON, at=NOON
        )

    def maps(self, module: str, *solutions: Any, tier: Any = None) -> OwnerPlan:
        plan = OwnerPlan.objects.create(owner=self.owner, module_name=module, tier=tier)
        plan.solutions.set(solutions)
        return plan

    def file(self, form: PackageForm | None = None, **header: Any) -> bytes:
        return signed_xml(form or sound_package(self.owner.code, **header), self.signs_with)

    def issues_to(
        self, town: Town, form: PackageForm | None = None, *, at: datetime | None = None, **how: Any
    ) -> Imported:
        return import_package(customer=town.customer, actor=town.actor, data=self.file(form), at=at, **how)
