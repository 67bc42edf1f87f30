"""Catalog files: what Pia writes and what is read from it; and every fault named with its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.document import (
    BadDocument,
    CatalogDocument,
    Fault,
    Known,
    KnownFeature,
    KnownModule,
    KnownOffer,
    Source,
    nodes,
    parse,
    reading,
)
from catalog.document.names import CODE, MODULE, OWNER
from catalog.kinds import UNLIMITED
from catalog.models import Feature, FeatureGroup, LevelChoice, Module, Offer, Owner, Solution, Tier
from catalog.models.module import validate_module, validate_owner
from customers.validators import validate_code

SEED = Path(__file__).parents[2] / "catalog" / "seed"
HEADER = "planarium-catalog: 1\n"

BASE = """\
planarium-catalog: 1
owners: {ACME: {name: Acme}}
modules:
  desk: {type: site, description: Desk}
  desk-cal: {type: user, description: Desk user, hidden: true}
  plan-a: {type: user, description: Plan A}
tiers: {low: {name: Low, rank: 1}}
solutions: {help: {name: Help}}
groups: {main: {name: Main}}
features:
  answers: {name: Answers, group: main, site: desk, user: desk-cal}
  space: {name: Space, group: main, kind: limit, counts: customer, unit: GB}
  charts: {name: Charts, group: main, kind: level, choices: {few: {name: Few}, many: {name: Many}}}
plans:
  base: {name: Base, for_sale: false, features: {answers: true}}
"""


def read(*texts: str, **options: Any) -> CatalogDocument:
    """Reads the texts as `file-1.yaml`, `file-2.yaml`, … of the owner ACME."""
    sources = [Source(f"file-{number}.yaml", text) for number, text in enumerate(texts, 1)]
    return parse(sources, own_owner="ACME", **options)


def faults_of(*texts: str, **options: Any) -> list[str]:
    """Returns the faults of the texts as `file:line: path: message`."""
    with pytest.raises(BadDocument) as caught:
        read(*texts, **options)
    return [str(fault) for fault in caught.value.found]


def faults_beside_base(lines: str) -> list[tuple[int, str]]:
    """Returns line and message of each fault in a file that begins with `lines`, read beside the good BASE."""
    with pytest.raises(BadDocument) as caught:
        read(BASE, lines + HEADER)
    assert {fault.file for fault in caught.value.found} == {"file-2.yaml"}
    return [(fault.line, fault.message) for fault in caught.value.found]


# ── What is read ────────────────────────────────────────────────────────────


def test_a_plan_is_read_with_everything_it_says() -> None:
    document = read(
        BASE,
        """\
planarium-catalog: 1
plans:
  help-low:
    name: Help Low
    description: >
      For those who
      help a little.
    solutions: [help]
    tier: low
    module: plan-a
    includes: [base]
    extra_modules: [desk]
    features: {answers: false, space: 1_000, charts: many}
    excludes: [base]
add_ons:
  more-space: {name: More space, scope: site, module: desk, max_quantity: 3, features: {space: unlimited}}
""",
    )
    base, plan = document.plans
    assert (base.code, base.for_sale) == ("base", False)
    assert plan.description == "For those who help a little."
    assert plan.module == "acme.plan-a"
    assert (plan.solutions, plan.tier, plan.includes) == (("help",), "low", ("base",))
    assert plan.extra_modules == ("acme.desk",)
    assert plan.grants == (("answers", False), ("space", 1000), ("charts", "many"))
    assert (plan.needs, plan.excludes, plan.max_quantity) == ((), ("base",), None)
    assert (plan.place.file, plan.place.line, plan.place.path) == ("file-2.yaml", 3, "plans.help-low")
    (add_on,) = document.add_ons
    assert (add_on.type, add_on.scope, add_on.max_quantity) == ("addon", "site", 3)
    assert add_on.grants == (("space", UNLIMITED),)


def test_what_is_left_out_has_its_default() -> None:
    answers, space, charts = read(BASE).features
    assert (answers.kind, answers.rule, answers.description, answers.read_only_without_seat) == (
        "switch",
        "any",
        "",
        True,
    )
    assert (answers.site, answers.user) == ("acme.desk", "acme.desk-cal")
    assert (space.rule, space.unit, space.counts) == ("max", "GB", "customer")
    assert (charts.rule, [choice.code for choice in charts.choices]) == ("highest", ["few", "many"])


def test_modules_of_others_are_called_by_their_owner() -> None:
    document = read(
        BASE, HEADER + "owners: {SHOP: {name: Shop}}\nmodules: {SHOP.cart: {type: site, description: Cart}}\n"
    )
    cart = document.modules[-1]
    assert (cart.code, cart.owner, cart.name) == ("shop.cart", "SHOP", "cart")


def test_sections_and_references_may_be_spread_over_files_in_any_order() -> None:
    first, second = BASE.split("features:", 1)
    assert read(HEADER + "features:" + second, first) == read(BASE)


def test_places_do_not_make_documents_differ() -> None:
    assert read(BASE) == read("# a comment\n\n" + BASE)


def test_an_alias_repeats_what_its_anchor_says() -> None:
    document = read(BASE, HEADER + "plans:\n  a: &a {name: A, for_sale: false}\n  b: *a\n")
    assert [plan.name for plan in document.plans] == ["Base", "A", "A"]


def test_codes_need_no_quotes_even_when_yaml_reads_them_as_something_else() -> None:
    document = read(
        BASE,
        HEADER + "groups: {no: {name: Norway}, 365: {name: Office}}\n"
        "features: {on: {name: Some, group: no, kind: level, choices: {yes: {name: Some}, 2: {name: Two}}}}\n"
        "plans: {off: {name: Other, for_sale: false, features: {on: 2}}}\n",
    )
    assert [group.code for group in document.groups] == ["main", "no", "365"]
    assert document.plans[-1].grants == (("on", "2"),)


def test_a_part_of_a_catalog_may_refer_to_what_is_there() -> None:
    known = Known(
        owners=frozenset({"ACME"}),
        modules={"acme.plan-a": KnownModule("user", False, None)},
        solutions=frozenset({"help"}),
        features={"space": KnownFeature("limit", ())},
        offers={"base": KnownOffer("plan", None)},
    )
    text = (
        HEADER
        + "plans: {x: {name: X, solutions: [help], module: plan-a, includes: [base], features: {space: unlimited}}}\n"
    )
    assert read(text, known=known).plans[0].grants == (("space", UNLIMITED),)
    assert len(faults_of(text)) == 4


def test_a_known_module_is_taken_and_a_known_rank_too() -> None:
    known = Known(
        owners=frozenset({"ACME"}),
        modules={"acme.plan-a": KnownModule("user", False, None)},
        tiers={"high": 2},
        offers={"theirs": KnownOffer("plan", "acme.plan-a")},
    )
    text = HEADER + "tiers: {top: {name: Top, rank: 2}}\nplans: {x: {name: X, for_sale: false, module: plan-a}}\n"
    assert faults_of(text, known=known) == [
        "file-1.yaml:2: tiers.top.rank: The tier 'high' has rank 2 already.",
        "file-1.yaml:3: plans.x: 'theirs' has the module 'acme.plan-a' already.",
    ]


# ── What is faulted ─────────────────────────────────────────────────────────

PLAN = "plans:\n  x:\n    name: X\n    for_sale: false\n"
FEATURE = "features:\n  x:\n    name: X\n    group: main\n"

FAULTS = {
    "an unknown key": (PLAN + "    featuers: {}\n", [(5, "'featuers'. Did you mean 'features'?")]),
    "an unknown section": ("product: {}\n", [(1, "Nothing is known by the key 'product'")]),
    "a missing key": ("plans:\n  x: {for_sale: false}\n", [(2, "'name' is missing")]),
    "an empty entry": ("groups:\n  x:\n", [(2, "'name' is missing")]),
    "an empty name": ("groups:\n  x: {name: ''}\n", [(2, "can't be empty")]),
    "a key without a value": (PLAN + "    description:\n", [(5, "text is needed")]),
    "a list for a mapping": (PLAN + "    features: [answers]\n", [(5, "a mapping is needed")]),
    "a mapping for a list": (PLAN + "    includes: {base: true}\n", [(5, "a list is needed")]),
    "a word for a list": (PLAN + "    includes: base\n", [(5, "a list is needed")]),
    "a list for a word": (PLAN + "    tier: [low]\n", [(5, "one word is needed")]),
    "a number for text": ("groups:\n  x: {name: 365}\n", [(2, "put it in quotes: '365'")]),
    "a date for text": ("groups:\n  x: {name: 2026-01-05}\n", [(2, "put it in quotes")]),
    "a truth for text": ("groups:\n  x: {name: yes}\n", [(2, "put it in quotes: 'yes'")]),
    "text too long": (f"groups:\n  x: {{name: {'x' * 101}}}\n", [(2, "101 characters, 100 at most")]),
    "a name on two lines": ('groups:\n  x: {name: "a\\nb"}\n', [(2, "on one line")]),
    "a control character": ('groups:\n  x: {name: "a\\0b"}\n', [(2, "control characters")]),
    "a word for a truth": (PLAN.replace("false", "maybe"), [(4, "true or false is needed, not 'maybe'")]),
    "a word for a number": ("tiers:\n  x: {name: X, rank: first}\n", [(2, "from 0 to 32767 is needed, not 'first'")]),
    "a truth for a number": ("tiers:\n  x: {name: X, rank: true}\n", [(2, "not True")]),
    "a number too large": ("tiers:\n  x: {name: X, rank: 32768}\n", [(2, "not 32768")]),
    "an octal number": ("tiers:\n  x: {name: X, rank: 010}\n", [(2, "not '010'")]),
    "a duplicate key": ("groups:\n  x: {name: X}\n  x: {name: Y}\n", [(3, "written twice; first on line 2")]),
    "a duplicate key inside": ("groups:\n  x:\n    name: X\n    name: Y\n", [(4, "written twice; first on line 3")]),
    "a code of another file": ("groups:\n  main: {name: Main}\n", [(2, "first in file-1.yaml, line 9")]),
    "a plan and an add-on": (
        "add_ons:\n  base: {name: Base, scope: user, for_sale: false}\n",
        [(2, "defined twice; first in file-1.yaml, line 15")],
    ),
    "a module under two names": (
        "modules:\n  acme.desk: {type: site, description: Desk}\n",
        [(2, "defined twice; first in file-1.yaml, line 4")],
    ),
    "a bad code": ("groups:\n  Main Group: {name: X}\n", [(2, "'Main Group' can't be a code here")]),
    "a code too long": (f"groups:\n  {'x' * 65}: {{name: X}}\n", [(2, "too long: 64 characters at most")]),
    "a bad owner": ("owners:\n  Acme: {name: X}\n", [(2, "upper-case letters and digits only")]),
    "a bad module": ("modules:\n  Desk: {type: site, description: X}\n", [(2, "digits and hyphens")]),
    "a key that is no word": ("groups:\n  [x]: {name: X}\n", [(2, "A key is one word")]),
    "an unknown owner": ("modules:\n  shop.a: {type: site, description: A}\n", [(2, "There is no owner 'SHOP'")]),
    "a bad address": ("owners:\n  SHOP: {name: Shop, license_url: 'javascript:1'}\n", [(2, "is a web address")]),
    "an unknown module": (FEATURE + "    user: desk-call\n", [(5, "no module 'desk-call'. Did you mean 'desk-cal'?")]),
    "an unknown group": ("features:\n  x: {name: X, group: mian}\n", [(2, "no group 'mian'. Did you mean 'main'?")]),
    "an unknown tier": (PLAN + "    tier: high\n", [(5, "There is no tier 'high'")]),
    "an unknown solution": (PLAN + "    solutions: [help, sales]\n", [(5, "There is no solution 'sales'")]),
    "an unknown feature": (PLAN + "    features:\n      answer: true\n", [(6, "Did you mean 'answers'?")]),
    "an unknown plan": (PLAN + "    includes:\n      - base\n      - bass\n", [(7, "no plan 'bass'")]),
    "an unknown add-on": (PLAN + "    excludes: [cep]\n", [(5, "There is no plan or add-on 'cep'")]),
    "an unknown tier in a rule": (
        PLAN + "    needs: [base, tier:lwo]\n",
        [(5, "no tier 'tier:lwo'. Did you mean 'tier:low'")],
    ),
    "a tier needed twice": (PLAN + "    needs: [tier:low, 'tier:low']\n", [(5, "'tier:low' is listed twice")]),
    "a tier both needed and excluded": (
        PLAN + "    needs: [tier:low]\n    excludes: [tier:low]\n",
        [(2, "'tier:low': it says both")],
    ),
    "an unknown tier of a marker": (
        "solutions:\n  x: {name: X, site_markers: {high: desk}}\n",
        [(2, "There is no tier 'high'")],
    ),
    "a switch that is a number": (PLAN + "    features: {answers: 1}\n", [(5, "A switch is true or false, not 1")]),
    "a switch without end": (PLAN + "    features: {answers: unlimited}\n", [(5, "not 'unlimited'")]),
    "a limit that is true": (PLAN + "    features: {space: true}\n", [(5, "A limit is a whole number")]),
    "a limit below zero": (PLAN + "    features: {space: -1}\n", [(5, "not -1")]),
    "a limit with a fraction": (PLAN + "    features: {space: 1.5}\n", [(5, "not '1.5'")]),
    "a limit past all limits": (PLAN + f"    features: {{space: {2**53}}}\n", [(5, f"not {2**53}")]),
    "a level of no choice": (PLAN + "    features: {charts: all}\n", [(5, "none of the choices: few, many")]),
    "a level without end": (PLAN + "    features: {charts: unlimited}\n", [(5, "none of the choices")]),
    "an unknown kind": (FEATURE + "    kind: levels\n", [(5, "switch, limit, level. Did you mean 'level'?")]),
    "a rule of another kind": (FEATURE + "    rule: max\n", [(5, "A switch is merged by any, not by 'max'")]),
    "a limit without counts": (FEATURE + "    kind: limit\n", [(2, "'counts' is missing")]),
    "a limit counted oddly": (FEATURE + "    kind: limit\n    counts: year\n", [(6, "none of call, user, customer")]),
    "a switch that counts": (FEATURE + "    counts: user\n    unit: GB\n", [(5, "Only a limit"), (6, "Only a limit")]),
    "a level without choices": (FEATURE + "    kind: level\n", [(2, "'choices' is missing")]),
    "a level with no choice": (FEATURE + "    kind: level\n    choices: {}\n", [(6, "at least one choice")]),
    "a switch with choices": (FEATURE + "    choices: {a: {name: A}}\n", [(5, "Only a level has choices")]),
    "none as a choice": (
        FEATURE + "    kind: level\n    choices:\n      none: {name: None at all}\n",
        [(7, '"none" is a reserved word')],
    ),
    "a bad choice": (FEATURE + "    kind: level\n    choices:\n      A b: {name: A}\n", [(7, "can't be a choice")]),
    "a user module for a site": (FEATURE + "    site: desk-cal\n", [(5, "'desk-cal' is a user module; here a site")]),
    "a site module for a user": (FEATURE + "    user: desk\n", [(5, "'desk' is a site module; here a user module")]),
    "a choice with the wrong module": (
        FEATURE + "    kind: level\n    choices:\n      a: {name: A, user: desk}\n",
        [(7, "here a user module is needed")],
    ),
    "a site module as a tier's marker": (
        "tiers:\n  x: {name: X, rank: 2, user_marker: desk}\n",
        [(2, "here a user module is needed")],
    ),
    "a user module as a site marker": (
        "solutions:\n  x: {name: X, site_markers: {low: desk-cal}}\n",
        [(2, "here a site module is needed")],
    ),
    "a rank twice": ("tiers:\n  x: {name: X, rank: 1}\n", [(2, "The tier 'low' has rank 1 already")]),
    "a prerequisite of another owner": (
        "owners: {SHOP: {name: Shop}}\nmodules:\n  shop.a: {type: user, description: A, requires: desk-cal}\n",
        [(3, "a module of the same owner")],
    ),
    "a module that requires itself": (
        "modules:\n  a: {type: user, description: A, requires: a}\n",
        [(2, "acme.a requires acme.a")],
    ),
    "modules that require each other": (
        "modules:\n  a: {type: user, description: A, requires: b}\n  b: {type: user, description: B, requires: a}\n",
        [(2, "in a circle")],
    ),
    "a plan that includes itself": (PLAN + "    includes: [x]\n", [(2, "x includes x")]),
    "plans that include each other": (
        PLAN + "    includes: [y]\n  y: {name: Y, for_sale: false, includes: [z]}\n"
        "  z: {name: Z, for_sale: false, includes: [x]}\n",
        [(2, "in a circle")],
    ),
    "an add-on that is included": (
        PLAN + "    includes: [y]\nadd_ons:\n  y: {name: Y, scope: user, for_sale: false}\n",
        [(5, "There is no plan 'y'")],
    ),
    "something listed twice": (PLAN + "    includes: [base, base]\n", [(5, "'base' is listed twice")]),
    "a module listed twice": (PLAN + "    extra_modules: [desk, acme.desk]\n", [(5, "'acme.desk' is listed twice")]),
    "an add-on without a scope": ("add_ons:\n  x: {name: X, for_sale: false}\n", [(2, "'scope' is missing")]),
    "an add-on of no scope": ("add_ons:\n  x: {name: X, scope: all, for_sale: false}\n", [(2, "none of site, user")]),
    "an add-on of quantity 0": (
        "add_ons:\n  x: {name: X, scope: site, for_sale: false, max_quantity: 0}\n",
        [(2, "from 1 to")],
    ),
    "a plan with a quantity": (PLAN + "    max_quantity: 1\n", [(5, "'max_quantity'")]),
    "a plan for sale without module or solution": (
        "plans:\n  x: {name: X}\n",
        [(2, "needs a module of its own"), (2, "at least one solution")],
    ),
    "an offer with the wrong module": (PLAN + "    module: desk\n", [(5, "here a user module is needed")]),
    "an offer with a hidden module": (PLAN + "    module: desk-cal\n", [(5, "nobody could be given it")]),
    "two offers with one module": (
        PLAN + "    module: plan-a\n  y: {name: Y, for_sale: false, module: plan-a}\n",
        [(6, "'x' has the module 'acme.plan-a' already")],
    ),
    "a need of itself": (PLAN + "    needs: [x]\n", [(2, "that is itself")]),
    "a need that is excluded": (PLAN + "    needs: [base]\n    excludes: [base]\n", [(2, "it says both")]),
    "a tag": ("groups:\n  x: {name: !!python/object/apply:os.getcwd []}\n", [(2, "Tags aren't read")]),
    "a tag on a key": ("groups:\n  !!binary eA==: {name: X}\n", [(2, "Tags aren't read")]),
    "a tag that looks harmless": ("groups:\n  x: {name: !!str 5}\n", [(2, "Tags aren't read")]),
    "a merge": ("groups:\n  x: &x {name: X}\n  y: {<<: *x}\n", [(3, "'name' is missing"), (3, "Merging by <<")]),
    "an alias inside itself": ("groups: &all\n  x: *all\n", [(2, "*all stands inside what it repeats")]),
}


@pytest.mark.parametrize(("lines", "expected"), FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_named_with_its_line(lines: str, expected: list[tuple[int, str]]) -> None:
    found = faults_beside_base(lines)
    assert [line for line, _ in found] == [line for line, _ in expected], found
    for (_, message), (_, words) in zip(found, expected, strict=True):
        assert words in message


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "file-1.yaml:1: The file is empty."),
        ("- a\n", "file-1.yaml:1: A catalog file is a mapping of sections."),
        ("groups: {}\n", "file-1.yaml:1: 'planarium-catalog' is missing."),
        ("planarium-catalog: 2\n", "file-1.yaml:1: planarium-catalog: This program reads planarium-catalog: 1."),
        (HEADER + "groups: {\n", "file-1.yaml:3: This isn't YAML: "),
        (HEADER + "groups:\n  x: a: b\n", "file-1.yaml:3: This isn't YAML: mapping values are not allowed"),
        (HEADER + "---\n" + HEADER, "file-1.yaml:2: This isn't YAML: "),
        (HEADER + "plans: *base\n", "file-1.yaml:2: This isn't YAML: "),
        (HEADER + "\n# a\x00b\n", "file-1.yaml:3: No file may contain the character '\\x00'."),
        (HEADER + "# \ud800\n", "file-1.yaml:2: No file may contain the character '\\ud800'."),
        (HEADER + "plans: " + "[" * 40, "file-1.yaml:2: This is nested too deep: 16 levels at most."),
        ("- " * 100_000, "file-1.yaml:1: This is nested too deep: 16 levels at most."),
    ],
)
def test_what_is_no_catalog_file_is_refused_with_a_sentence(text: str, fault: str) -> None:
    (found,) = faults_of(text)
    assert found.startswith(fault)


def test_a_file_that_repeats_itself_endlessly_is_refused() -> None:
    lines = ["planarium-catalog: 1", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    assert faults_of("\n".join(lines)) == [
        "file-1.yaml:7: This file says too much: 1,000,000 values at most. Spread it over several files."
    ]


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "LONGEST_TEXT", 100)
    (fault,) = faults_of(BASE)
    assert fault.startswith("file-1.yaml:1: This file is too large: 100 characters at most.")


def test_all_faults_of_all_files_are_told_at_once_in_the_order_of_the_files() -> None:
    bad = (
        "groups: {x: {}}\n" + PLAN + "    tier: high\n    includes: [base, bass]\n    features: {space: x, charts: y}\n"
    )
    faults = faults_of(BASE, HEADER + bad, HEADER + "tiers: {x: {name: X, rank: one}}\nowner: {}\n")
    assert [fault.rpartition(": ")[0].split(": ")[0] for fault in faults] == [
        "file-2.yaml:2",
        "file-2.yaml:7",
        "file-2.yaml:8",
        "file-2.yaml:9",
        "file-2.yaml:9",
        "file-3.yaml:2",
        "file-3.yaml:3",
    ]


def test_what_stands_in_a_broken_file_is_not_called_unknown() -> None:
    broken, rest = BASE.split("features:", 1)
    faults = faults_of(broken + "oops: [", HEADER + "features:" + rest + "  y: {name: Y, for_sale: false, tire: low}\n")
    assert [fault.split(": ")[0] for fault in faults] == ["file-1.yaml:11", "file-2.yaml:8"]


def test_a_broken_entry_does_not_make_those_that_name_it_wrong() -> None:
    lines = (
        "modules:\n  odd: {type: odd, description: Odd}\nfeatures:\n  x: {name: X, group: main, user: odd, kind: odd}\n"
    )
    faults = faults_beside_base(lines + "plans: {y: {name: Y, for_sale: false, features: {x: 5}}}\n")
    assert [line for line, _ in faults] == [2, 4]


def test_an_unknown_owner_is_told_once() -> None:
    text = HEADER + "modules:\n  a: {type: site, description: A}\n  b: {type: site, description: B}\n"
    assert faults_of(text) == ["file-1.yaml:3: modules.a: There is no owner 'ACME'; define it under `owners`."]


def test_the_refusal_lists_its_faults_for_machines_too() -> None:
    with pytest.raises(BadDocument) as caught:
        read(HEADER + "groups: {x: {}}\n")
    assert caught.value.message == "The catalog has 1 fault, so nothing was changed."
    assert caught.value.details["faults"] == [
        {"field": "groups.x", "message": "'name' is missing.", "file": "file-1.yaml", "line": 2}
    ]


# ── What must agree with the database ───────────────────────────────────────


def length(model: Any, field: str) -> int:
    longest: int = model._meta.get_field(field).max_length
    return longest


def test_texts_are_as_long_as_the_database_holds() -> None:
    coded = (Feature, FeatureGroup, LevelChoice, Offer, Solution, Tier)
    named = (FeatureGroup, LevelChoice, Offer, Solution, Tier)
    assert {length(model, "code") for model in coded} == {reading.CODE_LENGTH}
    assert {length(model, "name") for model in named} == {reading.NAME_LENGTH}
    assert length(Feature, "name") == reading.FEATURE_NAME_LENGTH
    assert length(Feature, "unit") == reading.UNIT_LENGTH
    assert length(Owner, "code") == reading.OWNER_LENGTH
    assert length(Module, "name") == reading.MODULE_LENGTH
    labels = {length(Owner, "name"), length(Owner, "license_url"), length(Module, "description")}
    assert labels | {length(Module, "tooltip")} == {reading.LABEL_LENGTH}


@pytest.mark.parametrize(
    ("pattern", "validator"), [(CODE, validate_code), (OWNER, validate_owner), (MODULE, validate_module)]
)
def test_codes_look_as_the_models_want_them(pattern: re.Pattern[str], validator: Any) -> None:
    assert f"^{pattern.pattern}" == validator.regex.pattern


def test_words_of_choice_are_those_of_the_models() -> None:
    assert set(reading.COUNTS) == set(Feature.Counts.values)
    assert set(reading.SCOPES) == set(Offer.Scope.values)
    assert set(reading.MODULE_TYPES) == set(Module.Type.labels)


# ── Whatever is written ─────────────────────────────────────────────────────


NO_FAULT = Fault("", 0, 0, "", "")  # what a refusal without any would be


def read_or_fault(text: str) -> None:
    """Reads anything; a fault has a line that the file has, and a sentence."""
    found: tuple[Fault, ...] = ()
    try:
        read(text)
    except BadDocument as bad:
        found = bad.found or (NO_FAULT,)
    lines = len(re.findall("[\n\r\x85\u2028\u2029]", text)) + 2
    assert all(1 <= fault.line <= lines and fault.message for fault in found)


@given(st.text(st.characters(exclude_categories=()), max_size=200))
@example("a: !!int b")
@example("? {a: b}\n: c")
@example("planarium-catalog: 1\nplans: {x: {features: {<<: {}}}}")
def test_no_text_ever_crashes_the_reader(text: str) -> None:
    read_or_fault(text)
    read_or_fault(HEADER + text)


SEED_TEXT = HEADER + "".join(
    file.read_text().split("planarium-catalog: 1\n")[1] for file in [SEED / "1-basics.yaml", SEED / "3-common.yaml"]
)


@given(
    start=st.integers(0, len(SEED_TEXT)),
    gone=st.integers(0, 60),
    scrap=st.text(st.sampled_from("abc1-0:&*!<>|?{}[],'\"#%@`~ \n\t\\"), max_size=12),
)
def test_no_slip_of_the_pen_ever_crashes_the_reader(start: int, gone: int, scrap: str) -> None:
    read_or_fault(SEED_TEXT[:start] + scrap + SEED_TEXT[start + gone :])


WORDS = st.sampled_from(
    ["x", "y", "name", "kind", "limit", "level", "choices", "includes", "features", "module", "scope", "rank", "type"]
)
SCALARS = st.one_of(WORDS, st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), st.text(max_size=5))
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(reading.SECTIONS), st.dictionaries(WORDS, TREES, max_size=4), max_size=4))
def test_no_shape_ever_crashes_the_reader(sections: dict[str, Any]) -> None:
    read_or_fault(yaml.safe_dump({reading.HEADER: 1, **sections}, allow_unicode=True))


# ── What is told about it ───────────────────────────────────────────────────


def test_the_example_of_the_documentation_is_a_catalog() -> None:
    guide = (SEED.parents[1] / "docs" / "catalog.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    document = read(example)
    assert [offer.code for offer in document.offers()] == ["groundwork", "help-small", "more-space"]
    assert len(document.features) == 3
