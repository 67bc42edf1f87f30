"""Lint of catalogs as files: the one that ships, and the plan of others. Rules E-6 to E-12."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.utils import timezone

from catalog.models import Offer, Version
from catalog.services.applying import apply_document
from catalog.services.documents import read_catalog
from catalog.services.linting import lint_version
from catalog.services.planning import plan_document
from customers.actor import SYSTEM
from tests.factories.catalog import NOON

SEED = Path(__file__).parents[2] / "catalog" / "seed"


def test_the_seed_has_nothing_odd(db: Any) -> None:
    call_command("catalog", "apply", str(SEED), "--publish", stdout=StringIO())
    versions = Version.objects.select_related("offer")
    assert versions.count() == Offer.objects.count()
    assert {
        str(version): found for version in versions if (found := lint_version(version=version, at=timezone.now()))
    } == {}


def test_the_plan_of_files_warns_as_the_catalog_would_stand(db: Any, tmp_path: Path) -> None:
    """What the same files publish before it is counted in, though none of it is there yet."""
    document = read_catalog([SEED])
    assert {offer.code: offer.warnings for offer in plan_document(document, at=NOON).offers if offer.warnings} == {}
    apply_document(document, actor=SYSTEM, publish=True, at=NOON)
    more = tmp_path / "more.yaml"
    more.write_text(
        "planarium-catalog: 1\n"
        "modules: {form-pack: {type: site, description: Forms}}\n"
        "add_ons:\n"
        "  form-pack: {name: Form pack, scope: site, module: form-pack, max_quantity: 1, excludes: [cep],\n"
        "              needs: [tier:essentials, marketing-premium], features: {forms: true}}\n"
    )
    (planned,) = plan_document(read_catalog([more]), at=NOON).offers
    assert [warning.code for warning in planned.warnings] == ["need_is_implied"]
