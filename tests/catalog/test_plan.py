"""What files would change is told before it happens; nothing is written for it, and it is what then happens."""

from __future__ import annotations

import json
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from catalog.content import diff
from catalog.document import BadDocument, CatalogDocument, Source, parse
from catalog.errors import CatalogChangedSince
from catalog.management.commands.catalog import Command
from catalog.models import Feature, FeatureGroup, Module, Offer, Solution, Tier, Version
from catalog.services import drafting, publishing
from catalog.services.applying import apply_document
from catalog.services.documents import known_names
from catalog.services.mapping import frozen_content
from catalog.services.planning import CatalogPlan, apply_planned, plan_document
from customers.actor import SYSTEM
from customers.models import AuditEvent
from tests.catalog.test_applying import HELPDESK, LATER, apply, everything, faults_of, newest, part
from tests.factories.catalog import NOON

SEED = Path(__file__).parents[2] / "catalog" / "seed"

pytestmark = pytest.mark.django_db


def read(text: str) -> CatalogDocument:
    return parse([Source("file.yaml", text)], own_owner="SUPEROFFICE", known=known_names())


def plan(text: str, at: Any = LATER) -> CatalogPlan:
    return plan_document(read(text), at=at)


def actions(found: CatalogPlan) -> dict[str, str]:
    return {offer.code: offer.action for offer in found.offers}


# ── A plan is what happens ──────────────────────────────────────────────────

EDITS = {
    "nothing": ("", ""),
    "a limit": ("space: 5", "space: unlimited"),
    "a feature's name": ("name: Charts", "name: Pictures"),
    "a feature's module": ("site: desk, user: desk-cal", "user: desk-cal"),
    "a module's words": ("description: Desk}", "description: Counter}"),
    "a new feature": ("  space: {name", "  links: {name: Links, group: main}\n  space: {name"),
    "another order": ("  charts: {name: Charts", "  links: {name: Links, group: more}\n  charts: {name: Charts"),
    "a group's name": ("more: {name: More}", "more: {name: Even more}"),
    "a new choice": ("few: {name: Few}, many", "few: {name: Few}, some: {name: Some}, many"),
    "a tier's name": ("low: {name: Low, rank: 1}", "low: {name: Lower, rank: 1}"),
    "a marker": ("help: {name: Help}", "help: {name: Help, site_markers: {low: marker}}"),
    "exchanged modules": ("module: lo,", "module: hi,"),
    "what is included": (", includes: [low]", ""),
    "what is needed": ("needs: [low]", "excludes: [high]"),
    "how many": ("max_quantity: 3", "max_quantity: 4"),
    "what is sold": ("{name: Pack, scope", "{name: Pack, for_sale: false, scope"),
    "a new plan": ("add_ons:", "  new: {name: New, for_sale: false, includes: [high]}\nadd_ons:"),
}


def edited(was: str, now: str) -> str:
    text = HELPDESK.replace(was, now, 1) if was else HELPDESK
    if was == "module: lo,":
        text = text.replace("module: hi, includes", "module: lo, includes")
    return text.replace("  pack: {type", "  marker: {type: site, description: M}\n  pack: {type")


@pytest.mark.parametrize(("was", "now"), EDITS.values(), ids=list(EDITS))
def test_applying_does_what_was_planned(was: str, now: str) -> None:
    apply(edited("", ""))
    document = read(edited(was, now))
    before = everything()
    planned = plan_document(document, at=LATER)
    assert everything() == before
    assert planned.is_published == (was == "")
    with transaction.atomic():
        result = apply_document(document, actor=SYSTEM, publish=False, at=LATER)
        transaction.set_rollback(True)
    assert result.changes == planned.changes
    drafted = {code: action for code, action in actions(planned).items() if action in ("drafted", "edited")}
    assert {offer.code: offer.action for offer in result.offers} == drafted
    assert result.is_empty == planned.is_empty
    held = {offer.code: newest(offer.code) for offer in planned.offers}
    result = apply_document(document, actor=SYSTEM, publish=True, at=LATER)
    assert [offer.code for offer in result.offers] == [offer.code for offer in planned.offers]
    for offer in planned.offers:
        content = frozen_content(newest(offer.code))
        assert content is not None
        assert offer.diff == diff(frozen_content(held[offer.code]), content)
    assert plan_document(document, at=LATER).is_published


def test_on_an_empty_catalog_everything_is_new() -> None:
    planned = plan(HELPDESK)
    assert {change.verb for change in planned.changes} == {"created"}
    assert actions(planned) == {"low": "drafted", "high": "drafted", "pack": "drafted"}
    assert planned.offers[1].diff is not None
    assert [feature.name for feature in planned.offers[1].diff.added] == ["Answers", "Space", "Charts"]
    assert not Offer.objects.exists()


def test_what_waits_in_drafts_is_told_and_is_no_change() -> None:
    apply(HELPDESK)
    text = HELPDESK.replace("space: 5", "space: 6")
    assert actions(plan(text)) == {"low": "drafted", "high": "follows"}
    apply(text, publish=False)
    planned = plan(text)
    assert actions(planned) == {"low": "waiting", "high": "follows"}
    assert planned.is_empty
    assert not planned.is_published
    planned = plan(HELPDESK)
    assert actions(planned) == {"low": "edited"}
    (edit,) = planned.offers[0].edits
    assert (edit.path, edit.was, edit.now) == ("features.space", "6", "5")


def test_what_is_scheduled_counts_as_said() -> None:
    apply(HELPDESK)
    draft = drafting.draft_from(offer=Offer.objects.get(code="low"), actor=SYSTEM, at=NOON)
    drafting.set_grants(version=draft, grants={"answers": True, "space": 6}, actor=SYSTEM, at=NOON)
    drafting.update_draft(version=draft, changelog="A little more.", actor=SYSTEM, at=NOON)
    publishing.publish(version=draft, actor=SYSTEM, at=NOON, effective_from=LATER)
    assert plan(HELPDESK.replace("space: 5", "space: 6"), at=NOON).is_empty


def test_what_keeps_a_draft_from_being_published_is_told_beside_it() -> None:
    apply(HELPDESK)
    planned = plan(HELPDESK.replace("extra_modules: [user], ", ""))
    low, high = planned.offers
    assert (low.diff, [fault.code for fault in low.faults]) == (None, ["prerequisite_missing"])
    assert (high.action, [fault.code for fault in high.faults]) == ("follows", ["include_has_faults"])


def test_conflicts_are_faults() -> None:
    apply(HELPDESK)
    with pytest.raises(BadDocument):
        plan(HELPDESK.replace("unit: GB", "unit: TB"))


def test_only_what_was_planned_is_applied() -> None:
    apply(HELPDESK)
    document = read(HELPDESK.replace("space: 5", "space: 6"))
    seen = plan_document(document, at=LATER).digest
    apply(part("groups: {main: {name: Principal}}\n"))
    before = everything()
    with pytest.raises(CatalogChangedSince):
        apply_planned(document, expected=seen, actor=SYSTEM, at=LATER)
    assert everything() == before
    seen = plan_document(document, at=LATER).digest
    result = apply_planned(document, expected=seen, actor=SYSTEM, at=LATER)
    assert [(offer.code, offer.action) for offer in result.offers] == [("low", "drafted")]
    assert not Version.objects.frozen().filter(number=2).exists()


def test_a_plan_of_many_takes_no_more_queries_than_one_of_few() -> None:
    def queries(count: int) -> int:
        features = "".join(f"  f{n}: {{name: N, group: main, user: desk-cal}}\n" for n in range(count))
        plans = "".join(f"  p{n}: {{name: P, for_sale: false, features: {{f{n}: true}}}}\n" for n in range(count // 10))
        with CaptureQueriesContext(connection) as captured:
            plan(part(f"features:\n{features}plans:\n{plans}"))
        return len(captured)

    apply(HELPDESK)
    assert queries(400) == queries(20)


def test_what_follows_a_scheduled_version_waits_for_it() -> None:
    apply(HELPDESK)
    draft = drafting.draft_from(offer=Offer.objects.get(code="low"), actor=SYSTEM, at=NOON)
    drafting.set_grants(version=draft, grants={"answers": True, "space": 6}, actor=SYSTEM, at=NOON)
    drafting.update_draft(version=draft, changelog="A little more.", actor=SYSTEM, at=NOON)
    publishing.publish(version=draft, actor=SYSTEM, at=NOON, effective_from=LATER)
    text = HELPDESK.replace("space: 5", "space: 7")
    planned = plan(text, at=NOON)
    assert actions(planned) == {"low": "drafted"}  # high includes the one that is in effect
    result = apply(text, at=NOON)
    assert [(offer.code, offer.number) for offer in result.offers] == [("low", 3)]
    assert newest("low").effective_from == LATER
    assert plan(text, at=NOON).is_published
    assert actions(plan(text, at=LATER)) == {"high": "drafted"}


# ── Renames ─────────────────────────────────────────────────────────────────

RENAMED = (
    HELPDESK.replace("answers: {name", "replies: {was: answers, name")
    .replace("answers: true", "replies: true")
    .replace("main: {name", "chief: {was: main, name")
    .replace("group: main", "group: chief")
    .replace("desk: {type", "counter: {was: desk, type")
    .replace("site: desk,", "site: counter,")
    .replace("help: {name", "aid: {was: help, name")
    .replace("[help]", "[aid]")
    .replace("low: {name: Low, rank", "basic: {was: low, name: Low, rank")
    .replace("tier: low", "tier: basic")
    .replace("  low: {name: Low, sol", "  start: {was: low, name: Low, sol")
    .replace("[low]", "[start]")
)


def test_what_was_never_published_is_renamed_in_place_with_its_drafts() -> None:
    models = (Feature, FeatureGroup, Solution, Tier, Offer, Module)
    apply(HELPDESK, publish=False)
    rows = {model: set(model.objects.values_list("pk", flat=True)) for model in models}
    draft = Version.objects.get(offer__code="low")
    planned = plan(RENAMED)
    result = apply(RENAMED, publish=False, at=LATER)
    assert {(change.verb, change.former, change.code) for change in result.changes} == {
        ("renamed", "answers", "replies"),
        ("renamed", "main", "chief"),
        ("renamed", "superoffice.desk", "superoffice.counter"),
        ("renamed", "help", "aid"),
        ("renamed", "low", "basic"),
        ("renamed", "low", "start"),
    }
    assert planned.changes == result.changes
    assert actions(planned) == dict.fromkeys(("start", "high", "pack"), "waiting")
    assert result.offers == ()
    assert {model: set(model.objects.values_list("pk", flat=True)) for model in models} == rows
    assert Version.objects.get(offer__code="start") == draft
    assert AuditEvent.objects.filter(action="feature.renamed", object_code="replies").count() == 1
    before = everything()
    assert apply(RENAMED, publish=False, at=LATER).is_empty
    assert everything() == before
    apply(RENAMED, at=LATER)
    assert newest("start").content["features"].keys() == {"replies", "space"}


def test_a_rule_about_a_tier_that_was_renamed_is_no_edit() -> None:
    text = HELPDESK.replace("needs: [low]", "needs: [tier:low]")
    renamed = text.replace("  low: {name: Low, rank", "  basic: {was: low, name: Low, rank").replace(
        "tier: low", "tier: basic"
    )
    apply(text, publish=False)
    found = plan(renamed.replace("tier:low", "tier:basic"))
    assert actions(found) == dict.fromkeys(("low", "high", "pack"), "waiting")


def test_in_a_catalog_that_knows_no_former_code_was_says_nothing() -> None:
    result = apply(RENAMED)
    assert {change.verb for change in result.changes} == {"created"}


def test_a_published_code_stays() -> None:
    apply(HELPDESK)
    before = everything()
    with pytest.raises(BadDocument) as caught:
        apply(RENAMED, at=LATER)
    lines = RENAMED.splitlines()
    assert {fault.line for fault in caught.value.found} == {n for n, line in enumerate(lines, 1) if "was: " in line}
    assert "low v1 is published with the code 'help', so it stays. Call it 'help' here and leave `was` out." in [
        fault.message for fault in caught.value.found
    ]
    assert everything() == before


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("groups: {main: {was: main, name: M}}", "That is its code already; leave `was` out."),
        ("groups: {x: {was: more, name: X}, more: {name: M}}", "'more' is defined in these files too"),
        ("groups: {x: {was: main, name: X}, y: {was: main, name: Y}}", "'main' has become something else"),
        ("groups: {more: {was: main, name: X}}", "There are both 'main' and 'more' by now"),
        ("groups: {x: {was: [main], name: X}}", "one word is needed"),
        ("owners: {ACME: {was: OTHER, name: Acme}}", "Nothing is known by the key 'was'"),
        (
            "owners: {ACME: {name: A}}\nmodules: {acme.x: {was: desk, type: site, description: X}}",
            "stays with its owner",
        ),
        ("groups: {x: {was: main, name: X}}\nfeatures: {y: {name: Y, group: main}}", "There is no group 'main'."),
        ("add_ons: {x: {was: high, name: X, scope: user, for_sale: false}}", "'x' is a plan already, and stays one."),
    ],
)
def test_a_rename_that_makes_no_sense_is_a_fault(lines: str, words: str) -> None:
    apply(HELPDESK, publish=False)
    (fault,) = faults_of(part(lines))
    assert words in fault


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        ("help: {name", "help: {nmae: x, name", "solutions.help.nmae: … 'nmae'. Did you mean 'name'?"),
        ("Charts, group", "Charts, colour: red, group", "features.charts.colour: … 'colour'. Known here: was, kind,"),
        (
            "few: {name",
            "few: {was: some, name",
            "features.charts.choices.few.was: … 'was'. Known here: site,",
        ),
        ("{name: Pack,", "{name: Pack, tier: low,", "add_ons.pack.tier: … 'tier'."),
        ("groups:", "group: {}\ngroups:", "group: … 'group'. Did you mean 'groups'?"),
    ],
)
def test_unknown_keys_are_faults_wherever_they_stand(was: str, now: str, words: str) -> None:
    text = HELPDESK.replace(was, now, 1)
    (fault,) = faults_of(text)
    line = next(number for number, line in enumerate(text.splitlines(), 1) if now.splitlines()[0] in line)
    assert fault.startswith(f"file-1.yaml:{line}: {words.replace('…', 'Nothing is known by the key')}")


# ── The command ─────────────────────────────────────────────────────────────


def run(*arguments: object, **options: Any) -> tuple[int, str, str]:
    """Returns how `manage.py catalog plan` ends, what it prints, and what it complains of."""
    out, err = StringIO(), StringIO()
    try:
        call_command("catalog", "plan", *map(str, arguments), stdout=out, stderr=err, **options)
    except CommandError as error:
        return error.returncode, out.getvalue(), err.getvalue()
    except SystemExit as end:
        return int(str(end.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "catalog.yaml").write_text(HELPDESK)
    return tmp_path / "catalog.yaml"


def test_on_the_applied_seed_there_is_nothing_to_do() -> None:
    call_command("catalog", "apply", str(SEED), "--publish", stdout=StringIO())
    assert run(SEED) == run(SEED, "--publish") == (0, "The catalog says all that already: nothing to do.\n", "")


def test_changes_end_with_two_and_are_told(file: Path) -> None:
    apply(HELPDESK)
    text = HELPDESK.replace("space: 5", "space: 50").replace("name: Charts", "name: Pictures")
    file.write_text(
        text.replace("max_quantity: 3, ", "").replace("more: {name: More}", "more: {name: More}\n  x: {name: X}")
    )
    code, out, err = run(file)
    assert (code, err) == (2, "")
    assert out.splitlines() == [
        "+ feature group x",
        "~ feature charts",
        "    name: Charts → Pictures",
        "",
        "plan Low: low v1 → a draft would be begun",
        "  ~ Space raised: 5 GB → 50 GB",
        "",
        "plan High: high v1 → a draft would be begun",
        "  ~ Space raised: 5 GB → 50 GB",
        "  ~ includes: low v1 → low v2",
        "  ~ features.charts.name: Charts → Pictures",
        "",
        "add-on Pack: pack v1 → a draft would be begun",
        "  ! Every plan that it may stand beside gives all of it already: Low, High.",
        "  ! Nothing of it adds up, so a second one gives nothing more. Say at most 1.",
        "  ~ max_quantity: 3 → none",
    ]


def test_what_waits_ends_with_two_only_when_publishing_is_asked_about(file: Path) -> None:
    apply(HELPDESK, publish=False)
    code, out, _ = run(file)
    assert (code, out.splitlines()[-1]) == (0, "The catalog says all that already: nothing to do.")
    assert run(file, "--publish")[0] == 2


def test_faults_end_with_one(file: Path) -> None:
    file.write_text(HELPDESK.replace("tier: low", "tier: lowly"))
    code, out, err = run(file)
    assert (code, out) == (1, "")
    assert err.startswith(f"{file}:23: plans.low.tier: There is no tier 'lowly'. Did you mean 'low'?")


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_that_want_them(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def printed(**options: Any) -> str:
        with pytest.raises(SystemExit):
            call_command("catalog", "plan", str(file), stdout=(out := Terminal()), **options)
        return out.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m+ owner SUPEROFFICE\x1b[0m\n" in printed()
    assert "\x1b" not in printed(no_color=True) + run(file)[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in printed()
    assert "\x1b[32m+ owner" in run(file, force_color=True)[1]


def manage(*arguments: object) -> tuple[int, str]:
    """Returns how `manage.py catalog …` ends on a command line, and what argparse says."""
    said = StringIO()
    with redirect_stderr(said), pytest.raises(SystemExit) as end:
        Command().run_from_argv(["manage.py", "catalog", *map(str, arguments)])
    return int(str(end.value.code)), said.getvalue()


def test_arguments_that_make_no_sense_are_no_changes(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert manage("plan", file)[0] == 2
    assert "+ owner SUPEROFFICE" in capsys.readouterr().out
    for arguments in (["plan"], ["plan", file, "--publich"], ["plann", file]):
        code, said = manage(*arguments)
        assert code == 1
        assert said.startswith("usage: manage.py catalog")


def test_machines_get_it_as_json(file: Path) -> None:
    apply(HELPDESK)
    file.write_text(HELPDESK.replace("space: 5", "space: 4"))
    code, out, _ = run(file, "--json")
    told = json.loads(out)
    assert (code, told["is_empty"], told["changes"]) == (2, False, [])
    assert told["offers"][0]["diff"]["lowered"] == [{"code": "space", "name": "Space", "was": "5 GB", "now": "4 GB"}]
