"""What the documents say is so: docs/resolution.md is worked out example by example, docs/rules.md rule by rule."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.kinds import KINDS, UNLIMITED, Value
from customers.scopes import MEMBER_SCOPES, SCOPES, STAFF_SCOPES
from licensing.facts import Choice, CustomerFacts, DateState, FeatureDef, HolderKind, Holding, Mode, Override
from tests.licensing.given import CUSTOMER, INACTIVE, OWN, PARTNER, Sold, add_on, answer, choice, facts, holds, plan

ROOT = Path(__file__).parents[2]
RESOLUTION = ROOT / "docs" / "resolution.md"
RULES = ROOT / "docs" / "rules.md"

# ── docs/resolution.md ──────────────────────────────────────────────────────
# A YAML block gives facts; each table after it whose first column is `holds` is run with them, a row at a time.


@dataclass(frozen=True)
class Example:
    """A row of a table: under these facts, whoever holds this is answered so about each feature."""

    title: str
    given: Mapping[str, Any]
    row: Mapping[str, str]

    @property
    def features(self) -> dict[str, str]:
        """Returns the answer that the page gives, by feature."""
        return {column.strip("`"): said for column, said in self.row.items() if column.startswith("`")}

    def found(self) -> dict[str, str]:
        """Returns the answer that resolution gives, by feature."""
        defined = {code: define(code, data) for code, data in self.given["features"].items()}
        listed = [part.split() for part in self.row.get("overrides", "").split(", ") if part]
        feature = defined[next(iter(self.features))]
        said = {(subject, mode): read(feature, *amount) for subject, mode, *amount in listed}
        own, users = (
            [Override(feature, Mode(mode), value) for (of, mode), value in said.items() if of == subject]
            for subject in ("customer", "user")
        )
        at = facts(
            *(sell(name, data or {}, defined) for name, data in self.given["sold"].items()),
            site=self.given.get("site", ()),
            states={
                OWN: DateState(self.row.get("our package", "active")),
                PARTNER: DateState(self.row.get("the partner's", "active")),
            },
            overrides=own,
        )
        return {code: answer(at, self.who(at, users), code) for code in self.features}

    def who(self, at: CustomerFacts, overrides: list[Override]) -> Holding:
        *names, last = self.row["holds"].split(", ")
        if last == "as the customer":
            return Holding(HolderKind.CUSTOMER, CUSTOMER.modules, tuple(overrides))
        if last == "but inactive":
            return Holding(INACTIVE.kind, holds(*names).modules, tuple(overrides))
        held = holds(*(name for name in (*names, last) if name != "nothing"), overrides=overrides)
        assert held.modules <= at.visible_modules, "the example holds what it does not sell"
        return held


def define(code: str, data: Mapping[str, Any]) -> FeatureDef:
    kind = KINDS[data["kind"]]
    steps: Iterator[Choice] = (
        choice(step, named.get("site"), named.get("user")) for step, named in data.get("choices", {}).items()
    )
    whole = choice("", data.get("site"), data.get("user"))
    return FeatureDef(
        code=code,
        kind=kind.code,
        rule=data.get("rule", kind.rules[0]),
        choices=tuple(steps),
        site_module=whole.site_module,
        user_module=whole.user_module,
        read_only_without_seat=data.get("read_only_without_seat", True),
    )


def read(feature: FeatureDef, raw: object = None) -> Value | None:
    """Returns a value as YAML, or a cell of a table, spells it; none for nothing."""
    if raw is None:
        return None
    if isinstance(raw, str) and raw.isdigit():
        raw = int(raw)
    return feature.behaviour.parse(raw, feature.choice_codes)


def sell(name: str, data: Mapping[str, Any], defined: Mapping[str, FeatureDef]) -> Sold:
    gives: dict[FeatureDef, Value] = {}
    origins = set()
    for code, said in data.get("gives", {}).items():
        raw = said["value"] if isinstance(said, dict) else said
        origins |= {said["origin"]} if isinstance(said, dict) else set()
        value = read(defined[code], raw)
        assert value is not None
        gives[defined[code]] = value
    kind = data.get("type", "plan")
    if kind == "plan":
        return plan(name, gives, switches_on=data.get("set", ()), origin=next(iter(origins), None))
    assert kind in ("site add-on", "user add-on")
    return add_on(name, gives, per_user=kind == "user add-on", quantity=data.get("quantity", 1))


def examples() -> list[Example]:
    found: list[Example] = []
    title, given = "", {}
    for part in re.split(r"(?m)^(?=## |```yaml\n|\| holds )", RESOLUTION.read_text()):
        if part.startswith("## "):
            title = part.partition("\n")[0][3:]
        elif part.startswith("```yaml"):
            given = yaml.safe_load(part.split("```")[1].removeprefix("yaml\n"))
        elif part.startswith("| holds "):
            lines = [line for line in part.splitlines() if line.startswith("|")]
            header, _, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
            found += [Example(title, given, dict(zip(header, row, strict=True))) for row in rows]
    return found


@pytest.mark.parametrize("example", examples(), ids=lambda e: f"{e.title}: {', '.join(e.row.values())}")
def test_examples_of_resolution(example: Example) -> None:
    assert example.found() == example.features


def test_the_examples_show_every_rule_mode_and_state() -> None:
    shown = examples()
    words = {word for example in shown for word in re.split(r"[ ,]+", " ".join(example.row.values()))}
    assert words >= {mode.value for mode in Mode}
    assert words >= {state.value for state in DateState} | {"none", "view", "edit", "unlimited"}
    features = [data for example in shown for data in example.given["features"].values()]
    assert {data["kind"] for data in features} == set(KINDS)
    assert {data.get("rule") for data in features} >= set(KINDS["limit"].rules)
    assert UNLIMITED.value in words


# ── docs/rules.md ───────────────────────────────────────────────────────────
APPS = ("customers", "catalog", "licensing", "config", "tests")
NOT_BUILT = ("out of scope", "recorded", "not yet")


@dataclass(frozen=True)
class Rule:
    """A row of a table of rules: its number, everything it says, and the tests that prove it."""

    number: str
    says: str
    proofs: tuple[tuple[str, str], ...]  # path under tests/, name


def rules() -> list[Rule]:
    rows = re.findall(r"(?m)^\| ([A-Z]-\d+) \| (.*) \| (.*) ?\|$", RULES.read_text())
    return [Rule(number, says, tuple(re.findall(r"`([\w/]+\.py)::([\w:]+)`", proof))) for number, says, proof in rows]


@cache
def names_in(path: str) -> frozenset[str]:
    """Returns the test functions and classes of a module under tests/, methods as `Class::method`."""
    body = ast.parse((ROOT / "tests" / path).read_text()).body
    found = {node.name for node in functions(body)}
    for node in body:
        if isinstance(node, ast.ClassDef):
            found |= {node.name, *(f"{node.name}::{inner.name}" for inner in functions(node.body))}
    return frozenset(found)


def functions(body: list[ast.stmt]) -> list[ast.FunctionDef]:
    return [node for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def test_every_fact_of_the_licensing_world_is_answered() -> None:
    numbers = [rule.number for rule in rules()]
    assert [number for number in numbers if number.startswith("C-")] == [f"C-{n}" for n in range(1, 48)]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.number)
def test_what_a_rule_says_is_proved(rule: Rule) -> None:
    missing = [f"{path}::{name}" for path, name in rule.proofs if name not in names_in(path)]
    assert missing == [], "no such tests"
    assert rule.proofs or any(word in rule.says for word in NOT_BUILT), "name a test, or say why there is none"


def test_the_rules_that_code_names_are_there() -> None:
    known = {rule.number for rule in rules()}
    unknown = {
        f"{path.relative_to(ROOT)}: {number}"
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        for number in named_rules(path.read_text())
        if number not in known
    }
    assert unknown == set()


def named_rules(text: str) -> set[str]:
    """Returns the rules that a text names, those inside `V-1 to V-4` included."""
    letters = "".join(sorted({rule.number[0] for rule in rules()}))
    named = re.findall(rf"\b([{letters}])-(\d+)(?: to [{letters}]-(\d+))?\b", text)
    return {f"{letter}-{n}" for letter, first, last in named for n in range(int(first), int(last or first) + 1)}


def test_the_table_of_scopes_is_the_programs() -> None:
    header, *rows = re.findall(r"(?m)^\| (?:scope|`\w+:\w+`) \|.*$", RULES.read_text())
    roles = [cell.strip().replace(" ", "_") for cell in header.strip("|").split("|")][1:]
    held = dict(STAFF_SCOPES) | dict(MEMBER_SCOPES)
    told = {
        (scope.strip(" `"), role)
        for scope, *cells in (row.strip("|").split("|") for row in rows)
        for role, cell in zip(roles, cells, strict=True)
        if cell.strip()
    }
    assert set(roles) == set(held)
    assert [row.split("`")[1] for row in rows] == list(SCOPES)
    assert told == {(scope, role) for role, scopes in held.items() for scope in scopes}
