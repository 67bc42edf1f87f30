"""Files become the catalog: all of them or nothing, once and not twice; and the command that does it."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.document import BadDocument, Source, parse
from catalog.errors import PublishingNeedsReview
from catalog.models import Feature, FeatureGroup, LevelChoice, Module, Offer, Owner, Solution, Tier, Version
from catalog.services import drafting, publishing
from catalog.services.applying import ApplyResult, apply_document
from catalog.services.documents import known_names
from catalog.services.exporting import export_text
from customers.actor import SYSTEM, Actor
from customers.models import Account, AuditEvent
from tests.factories.catalog import NOON

LATER = NOON + timedelta(days=30)

pytestmark = pytest.mark.django_db

HELPDESK = """\
planarium-catalog: 1
owners: {SUPEROFFICE: {name: SuperOffice}}
modules:
  user: {type: user, description: User, hidden: true, sort: 1}
  desk-cal: {type: user, description: Desk user, hidden: true, requires: user, sort: 2}
  desk: {type: site, description: Desk}
  lo: {type: user, description: Low}
  hi: {type: user, description: High}
  pack: {type: site, description: Pack}
tiers:
  low: {name: Low, rank: 1}
  high: {name: High, rank: 2}
solutions:
  help: {name: Help}
groups:
  main: {name: Main}
  more: {name: More}
features:
  answers: {name: Answers, group: main, site: desk, user: desk-cal}
  space: {name: Space, group: main, kind: limit, counts: customer, unit: GB}
  charts: {name: Charts, group: more, kind: level, choices: {few: {name: Few}, many: {name: Many}}}
plans:
  low: {name: Low, solutions: [help], tier: low, module: lo, extra_modules: [user], features: {answers: true, space: 5}}
  high: {name: High, solutions: [help], tier: high, module: hi, includes: [low], features: {charts: few}}
add_ons:
  pack: {name: Pack, scope: site, module: pack, needs: [low], max_quantity: 3, features: {space: 10}}
"""


def apply(*texts: str, publish: bool = True, at: Any = NOON, **options: Any) -> ApplyResult:
    sources = [Source(f"file-{number}.yaml", text) for number, text in enumerate(texts, 1)]
    document = parse(sources, own_owner="SUPEROFFICE", known=known_names())
    return apply_document(document, actor=SYSTEM, publish=publish, at=at, **options)


def part(lines: str) -> str:
    return f"planarium-catalog: 1\n{lines}"


def faults_of(*texts: str, **options: Any) -> list[str]:
    with pytest.raises(BadDocument) as caught:
        apply(*texts, **options)
    return [str(fault) for fault in caught.value.found]


def everything() -> dict[str, list[Any]]:
    """Returns every row of the catalog and of the audit trail."""
    models = [*apps.get_app_config("catalog").get_models(include_auto_created=True), AuditEvent]
    return {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in models}


def told(result: ApplyResult) -> list[tuple[str, str, int | None]]:
    return [(offer.code, offer.action, offer.number) for offer in result.offers]


def newest(code: str) -> Any:
    return Version.objects.frozen().filter(offer__code=code).order_by("-number").first()


# ── The whole file ──────────────────────────────────────────────────────────


def test_a_rule_may_name_a_tier() -> None:
    """E-1: in files, in what is frozen and in what is exported it is spelled alike."""
    apply(HELPDESK.replace("needs: [low]", "needs: [tier:low, low], excludes: [tier:high]"))
    assert newest("pack").content["rules"] == {"needs": ["low", "tier:low"], "excludes": ["tier:high"]}
    assert sorted(map(str, newest("pack").rules.all())) == ["excludes tier:high", "needs low", "needs tier:low"]
    assert "    needs: [low, tier:low]\n    excludes: [tier:high]\n" in export_text()
    assert apply(export_text()).offers == ()


def test_a_file_becomes_a_published_catalog() -> None:
    result = apply(HELPDESK)
    assert told(result) == [("low", "published", 1), ("high", "published", 1), ("pack", "published", 1)]
    high = newest("high").content
    assert (high["offer"]["solutions"], high["offer"]["tier"]) == (["help"], "high")
    assert high["set"] == ["user", "desk-cal"]
    assert {code: (f["value"], f["origin"]) for code, f in high["features"].items()} == {
        "answers": (True, "low"),
        "space": (5, "low"),
        "charts": ("few", "high"),
    }
    pack = newest("pack").content
    assert (pack["max_quantity"], pack["rules"]["needs"], pack["offer"]["scope"]) == (3, ["low"], "site")
    desk_cal = Module.objects.get(name="desk-cal")
    assert desk_cal.prerequisite == Module.objects.get(name="user")
    assert list(Feature.objects.values_list("code", flat=True)) == ["answers", "space", "charts"]
    assert list(LevelChoice.objects.values_list("code", "rank")) == [("few", 1), ("many", 2)]


def test_the_same_file_a_second_time_changes_nothing_at_all() -> None:
    apply(HELPDESK)
    before = everything()
    for publish in (True, False):
        assert apply(HELPDESK, publish=publish, at=LATER).is_empty
    assert everything() == before


def test_without_publishing_drafts_wait_for_somebody_to_look_at_them() -> None:
    result = apply(HELPDESK, publish=False)
    assert told(result) == [("low", "drafted", None), ("high", "drafted", None), ("pack", "drafted", None)]
    assert not Version.objects.frozen().exists()
    before = everything()
    assert apply(HELPDESK, publish=False, at=LATER).is_empty
    assert everything() == before
    assert told(apply(HELPDESK, at=LATER)) == [
        ("low", "published", 1),
        ("high", "published", 1),
        ("pack", "published", 1),
    ]


def test_every_change_is_in_the_audit_trail_once(pia: Account) -> None:
    document = parse([Source("file.yaml", HELPDESK)], own_owner="SUPEROFFICE")
    apply_document(document, actor=Actor(account=pia), publish=True, at=NOON)
    events = AuditEvent.objects.filter(object_code="answers")
    assert [(event.action, event.account, event.at) for event in events] == [("feature.created", pia, NOON)]
    assert events[0].changes["user_module"] == [None, "superoffice.desk-cal"]
    assert AuditEvent.objects.filter(action="version.published").count() == 3
    apply(HELPDESK.replace("description: Desk user", "description: Agent"), publish=False, at=LATER)
    changed = AuditEvent.objects.get(action="module.changed")
    assert changed.object_code == "superoffice.desk-cal"
    assert changed.changes == {"description": ["Desk user", "Agent"]}


def test_thousands_of_features_take_no_more_queries_than_a_handful() -> None:
    def queries(count: int, prefix: str) -> int:
        features = "".join(f"  {prefix}{number}: {{name: N, group: main, user: desk-cal}}\n" for number in range(count))
        with CaptureQueriesContext(connection) as captured:
            apply(part("features:\n" + features))
        return len(captured)

    apply(HELPDESK)
    assert queries(400, "b") < queries(20, "a") + 20  # a bulk insert comes in batches


# ── Changes ─────────────────────────────────────────────────────────────────


def test_a_raised_limit_brings_new_versions_of_the_plan_and_of_what_includes_it() -> None:
    apply(HELPDESK)
    result = apply(HELPDESK.replace("space: 5", "space: unlimited"), at=LATER)
    assert result.changes == ()
    assert told(result) == [("low", "published", 2), ("high", "published", 2)]
    assert newest("high").content["features"]["space"]["unlimited"] is True
    assert newest("high").content["includes"] == [{"code": "low", "version": 2}]
    assert newest("low").changelog == "Raises Space."


def test_a_new_name_is_news_to_every_version_that_tells_it() -> None:
    apply(HELPDESK)
    result = apply(HELPDESK.replace("name: Charts", "name: Pictures"), at=LATER)
    assert [(change.kind, change.code, change.fields) for change in result.changes] == [
        ("feature", "charts", {"name": ["Charts", "Pictures"]})
    ]
    assert told(result) == [("high", "published", 2)]
    assert newest("high").changelog == "Other words or modules; the features are the same."


def test_the_changelog_line_may_be_given() -> None:
    apply(HELPDESK)
    apply(HELPDESK.replace("space: 5", "space: 6"), at=LATER, changelog="More room for everybody.")
    assert [newest(code).changelog for code in ("low", "high")] == ["More room for everybody."] * 2


def test_what_the_file_does_not_name_is_left_alone() -> None:
    apply(HELPDESK)
    result = apply(part("plans:\n  low: {name: Low, solutions: [help], tier: low, module: lo, features: {space: 7}}\n"))
    assert told(result) == [("low", "published", 2)]
    assert newest("low").content["features"].keys() == {"space"}
    assert newest("high").number == 1
    assert Feature.objects.count() == 3
    assert set(Offer.objects.get(code="high").solutions.values_list("code", flat=True)) == {"help"}


def test_a_new_feature_finds_its_place_and_no_other_version_is_news() -> None:
    apply(HELPDESK)
    lines = HELPDESK.replace("  space: {name", "  links: {name: Links, group: main}\n  space: {name")
    result = apply(lines, at=LATER)
    assert [(change.kind, change.code, change.is_new) for change in result.changes] == [("feature", "links", True)]
    assert result.offers == ()
    assert list(Feature.objects.values_list("code", flat=True)) == ["answers", "links", "space", "charts"]


def test_ranks_of_tiers_and_modules_of_plans_may_be_exchanged() -> None:
    apply(HELPDESK)
    text = HELPDESK.replace("rank: 2", "rank: 3").replace("rank: 1", "rank: 2").replace("rank: 3", "rank: 1")
    text = text.replace("module: lo", "module: x").replace("module: hi", "module: lo")
    apply(text.replace("module: x", "module: hi"), at=LATER)
    assert dict(Tier.objects.values_list("code", "rank")) == {"low": 2, "high": 1}
    assert newest("low").content["module"] == "superoffice.hi"
    assert newest("high").content["module"] == "superoffice.lo"
    assert all(Offer.objects.values_list("for_sale", flat=True))


def test_markers_of_a_solution_become_what_the_file_says() -> None:
    apply(HELPDESK)
    text = HELPDESK.replace("help: {name: Help}", "help: {name: Help, site_markers: {low: marker}}")
    result = apply(text.replace("  pack: {type", "  marker: {type: site, description: M}\n  pack: {type"), at=LATER)
    assert ("low", "published", 2) in told(result)
    assert newest("low").content["modules"]["superoffice.marker"]["role"] == "marker"
    assert newest("high").content["modules"].keys() >= {"superoffice.desk"}
    assert "superoffice.marker" not in newest("high").content["modules"]
    result = apply(HELPDESK, at=LATER)
    assert Solution.objects.get().site_markers.count() == 0


def test_a_choice_may_come_between_published_ones() -> None:
    apply(HELPDESK)
    text = HELPDESK.replace("few: {name: Few}, many", "few: {name: Few}, some: {name: Some}, many")
    apply(text.replace("charts: few", "charts: some"), at=LATER)
    assert list(LevelChoice.objects.values_list("code", "rank")) == [("few", 1), ("some", 2), ("many", 3)]
    assert newest("high").content["features"]["charts"]["value"] == "some"


# ── Drafts of people ────────────────────────────────────────────────────────


def test_a_draft_that_somebody_began_is_made_to_say_what_the_file_says(pia: Account) -> None:
    apply(HELPDESK)
    by_pia: dict[str, Any] = {"actor": Actor(account=pia), "at": NOON}
    draft = drafting.draft_from(offer=Offer.objects.get(code="low"), **by_pia)
    drafting.set_grants(version=draft, grants={"space": 99}, **by_pia)
    drafting.update_draft(version=draft, changelog="Pia's own words.", **by_pia)
    result = apply(HELPDESK.replace("space: 5", "space: 50"), publish=False, at=LATER)
    assert told(result) == [("low", "edited", None)]
    assert {grant.feature.code: grant.value for grant in draft.grants.all()} == {"answers": True, "space": 50}
    apply(HELPDESK.replace("space: 5", "space: 50"), at=LATER)
    assert newest("low").changelog == "Pia's own words."


def test_a_draft_that_says_what_is_published_is_nothing_to_publish(pia: Account) -> None:
    apply(HELPDESK)
    drafting.draft_from(offer=Offer.objects.get(code="low"), actor=Actor(account=pia), at=NOON)
    assert apply(HELPDESK, at=LATER).is_empty
    assert Version.objects.drafts().count() == 1


def test_a_draft_in_review_goes_back_when_the_file_changes_it(pia: Account) -> None:
    apply(HELPDESK, publish=False)
    draft = Version.objects.get(offer__code="low")
    drafting.submit(version=draft, actor=Actor(account=pia), at=NOON)
    apply(HELPDESK.replace("space: 5", "space: 6"), publish=False, at=LATER)
    draft.refresh_from_db()
    assert draft.state == Version.State.DRAFT


# ── Refusals ────────────────────────────────────────────────────────────────

FOR_GOOD = {
    "the kind": (", kind: level, choices: {few: {name: Few}, many: {name: Many}}}", "}", "'level', not 'switch'"),
    "the unit": ("unit: GB", "unit: TB", "its unit stays 'GB', not 'TB'"),
    "what is counted": ("counts: customer", "counts: user", "its counts stays 'customer', not 'user'"),
    "the rule": ("kind: limit,", "kind: limit, rule: sum,", "its rule stays 'max', not 'sum'"),
    "a choice": ("few: {name: Few}, many", "some: {name: Some}, many", "with the choices few < many: they stay"),
    "their order": ("few: {name: Few}, many: {name: Many}", "many: {name: Many}, few: {name: Few}", "in this order"),
    "a module's type": ("desk: {type: site", "desk: {type: user", "so it stays a site module"),
}  # fmt: skip


@pytest.mark.parametrize(("was", "now", "words"), FOR_GOOD.values(), ids=list(FOR_GOOD))
def test_what_is_published_stays_and_the_line_that_says_otherwise_is_named(was: str, now: str, words: str) -> None:
    apply(HELPDESK)
    before = everything()
    lines = HELPDESK.replace("charts: few", "space: 1").splitlines(keepends=True)
    (number,) = [number for number, line in enumerate(lines) if was in line]
    changed = lines[number].replace(was, now)
    section = "modules:\n" if number < 10 else "features:\n"
    (fault,) = faults_of(part(section + changed), at=LATER)
    assert fault.startswith("file-1.yaml:3: ")
    assert words in fault
    assert everything() == before


def test_before_anything_is_published_all_of_that_may_change() -> None:
    apply(HELPDESK, publish=False)
    for was, now, _ in FOR_GOOD.values():
        if was in HELPDESK and "type: site" not in was:
            lines = [line for line in HELPDESK.splitlines(keepends=True) if was in line]
            apply(part("features:\n" + lines[0].replace(was, now)), publish=False)
    assert LevelChoice.objects.count() == 2


def test_a_plan_stays_a_plan() -> None:
    apply(HELPDESK)
    text = part("add_ons:\n  low: {name: Low, scope: user, for_sale: false}\n")
    assert faults_of(text) == ["file-1.yaml:3: add_ons.low: 'low' is a plan already, and stays one."]


@pytest.mark.parametrize(
    ("line", "faults"),
    [
        ("desk: {type: user, description: D}", ["'answers' needs it to be a site module."]),
        ("desk-cal: {type: site, description: D}", ["'answers' needs it to be a user module."]),
        ("pack: {type: user, description: D}", ["'pack' needs it to be a site module."]),
        ("lo: {type: site, description: D}", ["'low' needs it to be a user module."]),
        ("lo: {type: user, hidden: true, description: D}", ["'low' needs it to be visible."]),
    ],
)
def test_a_module_stays_what_others_need_it_to_be(line: str, faults: list[str]) -> None:
    apply(HELPDESK, publish=False)
    before = everything()
    assert [fault.split(": ", 2)[2] for fault in faults_of(part(f"modules:\n  {line}\n"))] == faults
    assert everything() == before


def test_a_module_may_change_together_with_those_that_need_it() -> None:
    apply(HELPDESK, publish=False)
    text = HELPDESK.replace("desk: {type: site", "desk: {type: satellite").replace("site: desk, user", "user")
    apply(text, publish=False)
    assert Module.objects.get(name="desk").type == Module.Type.SATELLITE


def test_drafts_that_cannot_be_published_are_all_told_and_nothing_is_kept() -> None:
    text = HELPDESK.replace("extra_modules: [user], ", "")
    text += "  odd: {name: Odd, scope: site, module: desk}\n"
    faults = faults_of(text)
    assert [fault.split(": ", 1)[0] for fault in faults] == ["file-1.yaml:23", "file-1.yaml:27"]
    assert "desk-cal needs superoffice.user, which this version does not ship" in faults[0]
    assert "grants no feature" in faults[1]
    assert not any(rows for rows in everything().values())


def test_what_only_a_model_knows_to_be_wrong_is_told_with_its_line() -> None:
    (fault,) = faults_of(part("owners:\n  ACME: {name: Acme, license_url: 'https://not a host'}\n"))
    assert fault.startswith("file-1.yaml:3: owners.ACME: license_url: ")
    assert not Owner.objects.exists()


def test_with_four_eyes_on_files_fill_an_empty_catalog_only(settings: LazySettings) -> None:
    settings.FOUR_EYES = True
    apply(HELPDESK)
    before = everything()
    with pytest.raises(PublishingNeedsReview):
        apply(HELPDESK.replace("space: 5", "space: 6"), at=LATER)
    assert everything() == before
    assert told(apply(HELPDESK.replace("space: 5", "space: 6"), publish=False, at=LATER)) == [("low", "drafted", None)]


def test_what_is_scheduled_counts_as_said() -> None:
    apply(HELPDESK)
    draft = drafting.draft_from(offer=Offer.objects.get(code="low"), actor=SYSTEM, at=NOON)
    drafting.set_grants(version=draft, grants={"answers": True, "space": 6}, actor=SYSTEM, at=NOON)
    drafting.update_draft(version=draft, changelog="A little more.", actor=SYSTEM, at=NOON)
    publishing.publish(version=draft, actor=SYSTEM, at=NOON, effective_from=LATER)
    lines = [line for line in HELPDESK.splitlines(keepends=True) if line.startswith("  low: {name: Low, sol")]
    assert apply(part("plans:\n" + lines[0].replace("space: 5", "space: 6"))).is_empty


# ── The command ─────────────────────────────────────────────────────────────


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names, offers = HELPDESK.split("plans:\n")
    (tmp_path / "1-names.yaml").write_text(names)
    (tmp_path / "2-offers.yaml").write_text(part("plans:\n" + offers))
    (tmp_path / "notes.txt").write_text("not for the program")
    return tmp_path


def run(*arguments: object) -> tuple[str, str]:
    """Returns what `manage.py catalog apply` prints, and what it complains of."""
    out, err = StringIO(), StringIO()
    try:
        call_command("catalog", "apply", *map(str, arguments), stdout=out, stderr=err)
    except CommandError as error:
        err.write(str(error))
    return out.getvalue(), err.getvalue()


def test_the_command_tells_what_it_did(folder: Path) -> None:
    out, err = run(folder, "--publish")
    assert out.splitlines() == [
        "created    1 owner",
        "created    6 modules",
        "created    2 tiers",
        "created    1 solution",
        "created    2 feature groups",
        "created    3 features",
        "created    2 plans",
        "created    1 add-on",
        "published  low v1, 2 features",
        "published  high v1, 3 features",
        "published  pack v1, 1 features",
    ]
    assert err == ""


def test_the_command_tells_that_there_is_nothing_to_do(folder: Path) -> None:
    run(folder, "--publish")
    assert run(folder, "--publish") == ("The catalog says all that already: nothing changed.\n", "")


def test_the_command_tells_what_it_changed(folder: Path) -> None:
    run(folder, "--publish")
    file = folder / "1-names.yaml"
    file.write_text(file.read_text().replace("high: {name: High,", "high: {name: Top,"))
    assert run(file)[0] == "changed    tier high: name High → Top\n"
    assert run(folder / "2-offers.yaml")[0] == "drafted    the draft of high, 1 features\n"


def test_a_bad_file_is_told_fault_by_fault_and_changes_nothing(folder: Path) -> None:
    (folder / "3-bad.yaml").write_text(part("plans:\n  low: {nam: Low}\ntier: {}\n"))
    with pytest.raises(CommandError) as caught:
        call_command("catalog", "apply", str(folder), stderr=(err := StringIO()))
    assert caught.value.returncode == 1
    bad = folder / "3-bad.yaml"
    assert [line.split(": ", 1)[0] for line in err.getvalue().splitlines()] == [f"{bad}:3", f"{bad}:4"]
    assert not FeatureGroup.objects.exists()


def test_files_that_cannot_be_read_are_faults_like_others(folder: Path) -> None:
    (folder / "1-names.yaml").write_bytes(b"planarium-catalog: 1\n# caf\xe9\n")
    (folder / "2-offers.yaml").write_text(part("group: {}\n"))
    (folder / "empty").mkdir()
    _, err = run(folder, folder / "empty", folder / "missing.yaml")
    assert [line.removeprefix(str(folder)) for line in err.splitlines()] == [
        "/1-names.yaml:2: This isn't UTF-8 text.",
        "/empty:1: There is no *.yaml file in this folder.",
        "/missing.yaml:1: This file can't be read: No such file or directory.",
        "/2-offers.yaml:2: group: Nothing is known by the key 'group'. Did you mean 'groups'?",
        "The catalog has 4 faults, so nothing was changed.",
    ]


def test_the_command_acts_for_an_account(folder: Path, pia: Account) -> None:
    run(folder, "--as", pia.email.upper())
    assert set(AuditEvent.objects.values_list("account__name", flat=True)) == {"Pia Product"}
    assert run(folder, "--as", "nobody@example.com")[1] == "There is no active account 'nobody@example.com'."


def test_the_command_tells_a_refusal_and_what_would_help(folder: Path, settings: LazySettings) -> None:
    run(folder, "--publish")
    settings.FOUR_EYES = True
    assert run(folder, "--publish")[1].endswith("have another publisher review the drafts.")
