"""The catalog written down: what was applied comes back, byte for byte, in one normal form."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from catalog.document import BadDocument, CatalogDocument, Source, divide, normalise, parse, write
from catalog.document.dividing import settle
from catalog.models import Feature, Offer, Version
from catalog.services import drafting, publishing
from catalog.services.applying import apply_document
from catalog.services.documents import known_names, read_catalog
from catalog.services.exporting import export_document, export_files, export_text
from catalog.services.planning import plan_document
from customers.actor import SYSTEM
from tests.catalog.inventing import OWN, catalogs
from tests.catalog.test_applying import HELPDESK, LATER, apply, everything, part
from tests.factories.catalog import NOON

SEED = Path(__file__).parents[2] / "catalog" / "seed"
HOSTING = Path(__file__).parent / "fixtures" / "hosting"


def text_of(document: CatalogDocument) -> str:
    return write(document, own_owner=OWN)


def read(*texts: str, **options: Any) -> CatalogDocument:
    return parse([Source(f"{number}.yaml", text) for number, text in enumerate(texts)], own_owner=OWN, **options)


def export(*arguments: object) -> str:
    call_command("catalog", "export", *map(str, arguments), stdout=(out := StringIO()))
    return out.getvalue()


# ── One normal form ─────────────────────────────────────────────────────────


@given(catalogs())
@hypothesis(max_examples=150)
def test_whatever_is_written_is_read_again_and_the_normal_form_is_one(document: CatalogDocument) -> None:
    ordered = normalise(document)
    assert normalise(ordered) == ordered
    assert read(text_of(document)) == document
    assert read(text_of(ordered)) == ordered


@given(catalogs())
@hypothesis(max_examples=50)
def test_a_divided_catalog_is_the_whole_one(document: CatalogDocument) -> None:
    files = {name: text_of(part) for name, part in divide(document).items()}
    assert list(files) == sorted(files)
    assert read(*files.values()) == normalise(document)


@pytest.mark.django_db
@given(catalogs(), catalogs())
@hypothesis(max_examples=15)
def test_there_is_nothing_to_do_exactly_when_applying_changes_nothing(
    first: CatalogDocument, second: CatalogDocument
) -> None:
    for text in (text_of(first), text_of(normalise(first)), text_of(second)):
        with transaction.atomic():
            apply_document(first, actor=SYSTEM, publish=False, at=NOON)
            before = everything()
            try:
                document = read(text, known=known_names())
                planned = plan_document(document, at=NOON)
            except BadDocument:
                assert text == text_of(second)  # what is there already is never at fault
            else:
                result = apply_document(document, actor=SYSTEM, publish=False, at=NOON)
                assert planned.is_empty == result.is_empty == (everything() == before)
                assert planned.changes == result.changes
            transaction.set_rollback(True)


@pytest.mark.django_db
@given(catalogs())
@hypothesis(max_examples=25)
def test_an_exported_catalog_is_the_same_elsewhere(document: CatalogDocument) -> None:
    with transaction.atomic():
        apply_document(document, actor=SYSTEM, publish=False, at=NOON)
        text = export_text(drafts=True)
        transaction.set_rollback(True)
    with transaction.atomic():
        apply_document(read(text), actor=SYSTEM, publish=False, at=LATER)
        assert export_text(drafts=True) == text
        assert export_document(drafts=True) == normalise(document)
        transaction.set_rollback(True)


@pytest.mark.django_db
@given(catalogs())
@hypothesis(max_examples=25)
def test_the_export_of_what_was_applied_is_its_normal_form(document: CatalogDocument) -> None:
    with transaction.atomic():
        apply_document(document, actor=SYSTEM, publish=False, at=NOON)
        text = export_text(drafts=True)
        again = read(text, known=known_names())
        plan = plan_document(again, at=NOON)
        transaction.set_rollback(True)
    assert text == text_of(normalise(document))
    assert plan.is_empty


@given(st.lists(st.integers(0, 5), max_size=12))
def test_places_never_go_down_and_stay_where_they_can(wanted: list[int]) -> None:
    settled = settle(wanted)
    assert settled == sorted(settled)
    assert set(settled) <= set(wanted)
    if wanted == sorted(wanted):
        assert settled == wanted


def test_the_normal_form_quotes_nothing_without_need() -> None:
    assert text_of(normalise(read(HELPDESK))) == (
        """\
planarium-catalog: 1

owners:
  SUPEROFFICE: {name: SuperOffice}

modules:
  desk: {type: site, description: Desk}
  hi: {type: user, description: High}
  lo: {type: user, description: Low}
  pack: {type: site, description: Pack}
  user: {type: user, description: User, hidden: true, sort: 1}
  desk-cal: {type: user, description: Desk user, hidden: true, requires: user, sort: 2}

tiers:
  low: {name: Low, rank: 1}
  high: {name: High, rank: 2}

solutions:
  help:
    name: Help

groups:
  main: {name: Main}
  more: {name: More}

features:
  answers:
    name: Answers
    group: main
    site: desk
    user: desk-cal
  space:
    name: Space
    group: main
    kind: limit
    unit: GB
    counts: customer
  charts:
    name: Charts
    group: more
    kind: level
    choices:
      few: {name: Few}
      many: {name: Many}

plans:
  low:
    name: Low
    solutions: [help]
    tier: low
    module: lo
    extra_modules: [user]
    features:
      answers: true
      space: 5
  high:
    name: High
    solutions: [help]
    tier: high
    module: hi
    includes: [low]
    features:
      charts: few

add_ons:
  pack:
    name: Pack
    scope: site
    module: pack
    max_quantity: 3
    needs: [low]
    features:
      space: 10
"""
    )


# ── The catalogs that come along ────────────────────────────────────────────


@pytest.mark.django_db
@pytest.mark.parametrize(("folder", "owner"), [(SEED, OWN), (HOSTING, "CLOUDNEST")], ids=["seed", "hosting"])
def test_an_applied_folder_comes_back_byte_for_byte(
    folder: Path, owner: str, tmp_path: Path, settings: LazySettings
) -> None:
    settings.OWN_OWNER = owner
    document = read_catalog([folder])
    apply_document(document, actor=SYSTEM, publish=True, at=NOON)
    assert export_text() == export_text(drafts=True) == write(normalise(document), own_owner=owner)
    export(tmp_path)
    assert plan_document(read_catalog([tmp_path]), at=LATER).is_published
    assert read_catalog([tmp_path]) == normalise(document)


@pytest.mark.django_db
def test_the_seed_is_divided_as_it_was_written(tmp_path: Path) -> None:
    apply_document(read_catalog([SEED]), actor=SYSTEM, publish=True, at=NOON)
    assert list(export_files()) == sorted(file.name for file in SEED.glob("*.yaml"))
    out = export(tmp_path)
    assert out.splitlines()[0] == f"wrote      {tmp_path / '1-basics.yaml'}"
    export(tmp_path)  # a second time over the first
    (tmp_path / "mine.yaml").write_text("planarium-catalog: 1\n")
    with pytest.raises(CommandError, match=r"has other catalog files: mine\.yaml"):
        export(tmp_path)


def test_a_folder_that_is_not_there_is_made_and_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    apply_document(read_catalog([SEED]), actor=SYSTEM, publish=True, at=NOON)
    export(tmp_path / "catalog")
    assert len(list((tmp_path / "catalog").glob("*.yaml"))) == len(list(SEED.glob("*.yaml")))
    with pytest.raises(CommandError, match=r"nowhere/c\.yaml can't be written: No such file or directory\."):
        export(tmp_path / "nowhere" / "c.yaml")


# ── What is told ────────────────────────────────────────────────────────────

pytestmark = pytest.mark.django_db


def codes(document: CatalogDocument) -> list[str]:
    return [offer.code for offer in document.offers()]


def test_drafts_are_told_when_asked_for(tmp_path: Path) -> None:
    apply(HELPDESK)
    apply(HELPDESK.replace("space: 5", "space: unlimited"), publish=False, at=LATER)
    assert "space: 5\n" in export()
    assert "space: unlimited\n" in export("--drafts")
    assert export(tmp_path / "catalog.yaml", "--drafts") == ""
    assert (tmp_path / "catalog.yaml").read_text() == export("--drafts")


def test_what_was_never_published_or_is_retired_is_left_out_unless_something_names_it() -> None:
    apply(HELPDESK)
    new = "  new: {name: New, for_sale: false, features: {space: 1}}\n  other: {name: Other, for_sale: false}\n"
    apply(part("plans:\n" + new), publish=False)
    for version in Version.objects.filter(offer__code__in=["low", "high"]):
        publishing.retire(version=version, actor=SYSTEM, at=LATER)
    assert codes(export_document()) == ["low", "pack"]  # the pack needs low
    assert codes(export_document(drafts=True)) == ["low", "new", "other", "pack"]


def test_what_people_typed_in_a_browser_is_told_as_files_tell_it() -> None:
    apply(HELPDESK)
    Feature.objects.filter(code="space").update(description="One.\r\n\r\nTwo: 2\r\n")
    assert "    description: |-\n      One.\n\n      Two: 2\n" in export_text()
    assert plan_document(read(export_text(), known=known_names()), at=LATER).changes[0].code == "space"


def test_equal_positions_are_no_reason_to_move_anything() -> None:
    apply(HELPDESK)
    Feature.objects.update(position=0)
    Offer.objects.update(position=0)
    assert plan_document(read(export_text(), known=known_names()), at=LATER).changes == ()


def test_a_larger_catalog_takes_no_more_queries() -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            export_text(drafts=True)
        return len(captured)

    apply(HELPDESK)
    before = queries()
    more = "".join(f"  f{n}: {{name: F, group: main, kind: limit, counts: user}}\n" for n in range(50))
    plans = "".join(f"  p{n}: {{name: P, for_sale: false, features: {{f{n}: 1}}}}\n" for n in range(10))
    apply(part("features:\n" + more + "plans:\n" + plans))
    draft = drafting.draft_from(offer=Offer.objects.get(code="low"), actor=SYSTEM, at=LATER)
    drafting.set_grants(version=draft, grants={"space": 6}, actor=SYSTEM, at=LATER)
    assert queries() == before
