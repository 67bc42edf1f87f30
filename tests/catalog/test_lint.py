"""What is odd about a version beside all that is for sale: rules E-6 to E-12. One table, a row for each finding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.content import (
    SITE,
    DraftFacts,
    Effect,
    FeatureDefinition,
    OnShelf,
    OtherOffer,
    Shelf,
    VersionContent,
    effect_of,
    lint,
    outline,
)
from catalog.kinds import LARGEST_LIMIT, UNLIMITED, Value
from tests.catalog.drawing import (
    DASHBOARDS,
    ESSENTIALS,
    MAIL,
    PREMIUM,
    SALES,
    faults_of,
    full,
    including,
    limit,
    module,
    plan,
    switch,
)
from tests.catalog.test_standing import shelves

RANKS = {"essentials": 1, "premium": 2}
CAP = limit("cap", rule="min", unit="GB")
STORAGE = limit("storage", rule="sum", unit="GB", counts="customer")
CHAT = switch("chat", site_module=full("chat"), user_module=full("chat-cal"))
CHAT_SITE, CHAT_CAL = module("chat", SITE), module("chat-cal")

LOW = OnShelf("low", "Low", tier="essentials", values={"sales": True, "mail": 500, "cap": 10}, version=1)
HIGH = OnShelf("high", "High", tier="premium", values={"sales": True, "mail": UNLIMITED, "cap": 50}, version=1)
COMMON = OnShelf("common", "Common", lacks="it is not for sale", version=1)


def shelf(*offers: OnShelf) -> Shelf:
    return Shelf({offer.code: offer for offer in offers}, RANKS, {"essentials": "Essentials", "premium": "Premium"})


def other(code: str, needs: tuple[str, ...] = (), excludes: tuple[str, ...] = (), **known: Any) -> OnShelf:
    given: dict[str, Any] = {"type": "addon", "scope": "site", "version": 1, **known}
    return OnShelf(code, code.capitalize(), needs=needs, excludes=excludes, **given)


def cep(
    grants: dict[FeatureDefinition, object] | None = None,
    needs: tuple[str, ...] = (),
    excludes: tuple[str, ...] = (),
    **says: Any,
) -> DraftFacts:
    """Returns a site add-on of which one can be bought, with nothing odd about it unless told otherwise."""
    given: dict[str, Any] = {"type": "addon", "scope": "site", "max_quantity": 1, "solutions": (), **says}
    rules = {"needs": tuple(map(OtherOffer, needs)), "excludes": tuple(map(OtherOffer, excludes))}
    return plan("cep", grants or {switch("portal"): True}, **rules, **given)


def content_of(draft: DraftFacts) -> VersionContent:
    return outline(draft)


CASES: dict[str, tuple[DraftFacts, tuple[OnShelf, ...], list[tuple[str, str, str]]]] = {
    "nothing odd": (cep(), (LOW, HIGH), []),
    "a plan with nothing odd": (plan("sales", {SALES: True}, tier=PREMIUM), (LOW, HIGH), []),
    # E-6: faults
    "at most none": (
        cep(max_quantity=0),
        (LOW,),
        [("none_at_most", "max_quantity", "At most 0 of Cep: nobody could buy it. Say 1 or more.")],
    ),
    "a need that shuts it out, over two steps": (
        cep(needs=("ai",)),
        (other("ai", ("forms",)), other("forms", (), ("cep",))),
        [
            (
                "rules_cannot_be_met",
                "rules.needs.ai",
                "Cep needs Ai, and Ai needs Forms, and Forms excludes Cep. So nobody could ever buy Cep.",
            )
        ],
    ),
    "two needs that shut each other out": (
        cep(needs=("ai", "forms")),
        (other("ai", (), ("forms",)), other("forms")),
        [
            (
                "rules_cannot_be_met",
                "rules.needs.ai",
                "Cep needs Ai, and Cep needs Forms, and Ai excludes Forms. So nobody could ever buy Cep.",
            )
        ],
    ),
    "the tier of what it needs, excluded": (
        cep(needs=("low",), excludes=("tier:essentials",)),
        (LOW, HIGH),
        [
            (
                "rules_cannot_be_met",
                "rules.excludes.tier:essentials",
                "Cep needs Low, and Cep excludes Low, a plan of tier Essentials. So nobody could ever buy Cep.",
            )
        ],
    ),
    "all that could meet its need, excluded": (
        cep(needs=("tier:premium",), excludes=("high",)),
        (LOW, HIGH),
        [
            (
                "rules_cannot_be_met",
                "rules.needs.tier:premium",
                "Cep needs a plan of tier Premium or higher, and none can stand beside it: Cep excludes High. "
                "So nobody could ever buy Cep.",
            )
        ],
    ),
    # E-7: unreachable
    "a need that is not for sale": (
        cep(needs=("common",)),
        (LOW, COMMON),
        [("need_not_sold", "rules.needs.common", "Cep needs Common, but it is not for sale.")],
    ),
    "a need of a need that is gone": (
        cep(needs=("ai",)),
        (LOW, other("ai", ("old",)), other("old", lacks="all of it was retired")),
        [("need_not_sold", "rules.needs.ai", "Cep needs Ai, and Ai needs Old, but all of it was retired.")],
    ),
    "a need that there isn't": (
        cep(needs=("nothing",)),
        (LOW,),
        [("need_not_sold", "rules.needs.nothing", "Cep needs nothing, but there is no such plan or add-on.")],
    ),
    "a tier that nothing is sold in": (
        cep(needs=("tier:premium",)),
        (LOW, replace(HIGH, lacks="all of it was retired")),
        [
            (
                "tier_not_sold",
                "rules.needs.tier:premium",
                "Cep needs a plan of tier Premium or higher, and none is for sale.",
            )
        ],
    ),
    "a tier that a need of it needs": (
        cep(needs=("ai",)),
        (LOW, other("ai", ("tier:premium",))),
        [("tier_not_sold", "rules.needs.ai", "Ai needs a plan of tier Premium or higher, and none is for sale.")],
    ),
    "a tier met by nothing but what isn't sold": (
        cep(needs=("tier:essentials",), excludes=("low",)),
        (LOW, replace(HIGH, lacks="it is not for sale")),
        [
            (
                "need_not_sold",
                "rules.needs.tier:essentials",
                "Of what is for sale nothing meets its needs: Cep needs a plan of tier Essentials or higher, "
                "and none can stand beside it: Cep excludes Low.",
            )
        ],
    ),
    # E-8: needs that go round, or say nothing
    "a circle": (
        cep(needs=("ai",)),
        (LOW, other("ai", ("forms",)), other("forms", ("cep",))),
        [
            (
                "needs_in_a_circle",
                "rules.needs.ai",
                "Cep needs Ai, and Ai needs Forms, and Forms needs Cep: "
                "they can only be bought, and given up, together.",
            )
        ],
    ),
    "a need that follows from a plan": (
        cep(needs=("high", "tier:essentials")),
        (LOW, HIGH),
        [
            (
                "need_is_implied",
                "rules.needs.tier:essentials",
                "Who has High has a plan of tier Essentials or higher too, so that need says nothing more.",
            )
        ],
    ),
    "a need that follows from a higher tier": (
        cep(needs=("tier:premium", "tier:essentials")),
        (LOW, HIGH),
        [
            (
                "need_is_implied",
                "rules.needs.tier:essentials",
                "Who has a plan of tier Premium or higher has a plan of tier Essentials or higher too, "
                "so that need says nothing more.",
            )
        ],
    ),
    # E-9: the end of something else
    "a plan that shuts out what needs it": (
        plan("sales", {SALES: True}, excludes=(OtherOffer("ai"),)),
        (LOW, other("ai", ("sales",))),
        [
            (
                "shuts_out",
                "rules.excludes.ai",
                "With this, nobody could buy Ai: Ai needs Sales, and Sales excludes Ai.",
            )
        ],
    ),
    "what was shut out before is no news": (
        plan("sales", {SALES: True}, excludes=(OtherOffer("ai"),)),
        (other("ai", ("sales",)), other("sales", (), ("ai",), type="plan")),
        [],
    ),
    # E-10: who may use it
    "a plan asked of the customer, not of the user": (
        cep(needs=("tier:premium",), scope="user"),
        (LOW, HIGH),
        [
            (
                "need_not_asked_of_users",
                "rules.needs.tier:premium",
                "The customer needs a plan of tier Premium or higher, but not each user: ten-cep has no prerequisite, "
                "so it can be given to somebody without.",
            )
        ],
    ),
    "an add-on needed by the user's says nothing of users": (cep(needs=("ai",), scope="user"), (LOW, other("ai")), []),
    "a user module that no plan brings": (
        cep({CHAT: True}, modules=(CHAT_SITE, CHAT_CAL)),
        (LOW, HIGH),
        [
            (
                "nobody_could_use",
                "features.chat",
                "Chat is used by those who hold chat-cal, which no plan that it may stand beside brings along.",
            )
        ],
    ),
    "one that some plan brings": (
        cep({CHAT: True}, modules=(CHAT_SITE, CHAT_CAL)),
        (LOW, replace(HIGH, set_names=frozenset({"chat-cal"}))),
        [],
    ),
    "one that is given by hand": (
        cep({CHAT: True}, modules=(CHAT_SITE, replace(CHAT_CAL, hidden=False))),
        (LOW, HIGH),
        [],
    ),
    # E-11: surprising merges
    "a switch that is on already": (
        cep({SALES: True}),
        (LOW, HIGH),
        [("adds_nothing", "features", "Every plan that it may stand beside gives all of it already: Low, High.")],
    ),
    "a limit below the base": (
        cep({MAIL: 400, switch("portal"): True}),
        (LOW, HIGH),
        [
            (
                "no_effect",
                "features.mail",
                "Mail: 400 recipients changes nothing beside any plan that it may stand beside (rule max).",
            )
        ],
    ),
    "a limit that is the base": (
        cep({MAIL: 500, switch("portal"): True}, excludes=("high",)),
        (LOW, HIGH),
        [
            (
                "no_effect",
                "features.mail",
                "Mail: 500 recipients changes nothing beside any plan that it may stand beside (rule max).",
            )
        ],
    ),
    "a limit above some base": (cep({MAIL: 501}), (LOW, HIGH), []),
    "a level that is not above": (
        cep({DASHBOARDS: "tiles"}),
        (replace(LOW, values={"dashboards": "tiles"}), replace(HIGH, values={"dashboards": "custom"})),
        [("adds_nothing", "features", "Every plan that it may stand beside gives all of it already: Low, High.")],
    ),
    "a level above one": (
        cep({DASHBOARDS: "custom"}),
        (replace(LOW, values={"dashboards": "tiles"}), replace(HIGH, values={"dashboards": "custom"})),
        [],
    ),
    "a sum on top of unlimited": (
        cep({STORAGE: 100, switch("portal"): True}, max_quantity=None),
        (replace(HIGH, values={"storage": UNLIMITED}),),
        [
            (
                "no_effect",
                "features.storage",
                "Storage: 100 GB changes nothing beside any plan that it may stand beside (rule sum).",
            )
        ],
    ),
    "a cap below a base": (
        cep({CAP: 20}),
        (LOW, HIGH),
        [
            (
                "caps_below",
                "features.cap",
                "Cap: the lowest counts (rule min), so 20 GB takes away from those who have High; High gives 50 GB.",
            )
        ],
    ),
    "a cap above every base": (
        cep({CAP: 50}),
        (LOW, HIGH),
        [("adds_nothing", "features", "Every plan that it may stand beside gives all of it already: Low, High.")],
    ),
    "more than the largest limit": (
        cep({STORAGE: LARGEST_LIMIT // 2}, max_quantity=3),
        (LOW,),
        [
            (
                "sum_past_largest",
                "features.storage",
                f"Storage: 3 of them add up to more than {LARGEST_LIMIT:,}, the largest.",
            )
        ],
    ),
    # E-12: more than one
    "a second one that gives nothing more": (
        cep(max_quantity=5),
        (LOW,),
        [
            (
                "more_is_no_more",
                "max_quantity",
                "Nothing of it adds up, so a second one gives nothing more. Say at most 1.",
            )
        ],
    ),
    "several that add up": (cep({STORAGE: 100}, max_quantity=None), (LOW,), []),
    "as many as users": (cep(max_quantity=None, scope="user"), (LOW,), []),
}


@pytest.mark.parametrize("what", CASES)
def test_findings(what: str) -> None:
    draft, offers, findings = CASES[what]
    found = lint(content_of(draft), shelf(*offers))
    assert [(finding.code, finding.path, finding.message) for finding in found] == findings
    faults = {"none_at_most", "rules_cannot_be_met"}
    assert all((finding.severity == "fault") == (finding.code in faults) for finding in found)


def test_faults_refuse_publishing_and_warnings_do_not() -> None:
    by_rules = replace(cep(needs=("ai",)), shelf=shelf(other("ai", ("forms",)), other("forms", (), ("cep",))))
    assert faults_of(by_rules) == {"rules_cannot_be_met": ["rules.needs.ai"]}
    assert faults_of(cep(max_quantity=0)) == {"none_at_most": ["max_quantity"]}
    assert faults_of(replace(cep(needs=("common",)), shelf=shelf(COMMON))) == {}


def test_what_two_rules_say_outright_is_told_once() -> None:
    ai = plan("ai", {SALES: True}, type="addon", excludes=(OtherOffer("cep"),))
    draft = replace(cep(), needs=including(ai), shelf=shelf(other("ai", (), ("cep",))))
    assert faults_of(draft) == {"rules_contradict": ["rules.needs.ai"]}


def test_a_tier_needed_is_not_relied_on_for_modules() -> None:
    web = module("web", prerequisite=full("user"))
    draft = cep(needs=("tier:premium",), extra_modules=(full("web"),), modules=(web, module("user")))
    assert "prerequisite_missing" in faults_of(draft)


# ── Never wrong, whatever is on the shelf ───────────────────────────────────
values: st.SearchStrategy[Value] = st.sampled_from([True, False, 0, 5, 500, UNLIMITED, "tiles", "custom", "gone"])
contents = st.builds(
    lambda grants, needs, excludes, scope, most, tier: cep(
        grants or None, tuple(needs), tuple(excludes), scope=scope, max_quantity=most, tier=tier
    ),
    st.fixed_dictionaries(
        {},
        optional={
            SALES: st.just(True),
            MAIL: st.sampled_from([1, 500, "unlimited"]),
            CAP: st.sampled_from([1, 500]),
            STORAGE: st.sampled_from([1, LARGEST_LIMIT, "unlimited"]),
            DASHBOARDS: st.sampled_from(["charts", "tiles", "custom"]),
        },
    ),
    st.lists(st.sampled_from(["a", "b", "c", "tier:low", "tier:high", "tier:gone"]), max_size=3, unique=True),
    st.lists(st.sampled_from(["a", "b", "c", "tier:low", "tier:high", "tier:gone"]), max_size=2, unique=True),
    st.sampled_from(["site", "user"]),
    st.sampled_from([None, 0, 1, 7]),
    st.sampled_from([None, ESSENTIALS]),
)


@given(contents, shelves(), st.data())
def test_it_never_crashes_and_says_each_thing_once(draft: DraftFacts, drawn: Shelf, data: st.DataObject) -> None:
    for code, offer in list(drawn.offers.items()):
        given_values = data.draw(
            st.fixed_dictionaries({}, optional=dict.fromkeys(("sales", "mail", "cap", "storage", "dashboards"), values))
        )
        lacks = data.draw(st.sampled_from(["", "it is not for sale"]))
        drawn = drawn.having(replace(offer, code=code, values=given_values, lacks=lacks))
    found = lint(content_of(draft), drawn)
    assert len(set(found)) == len(found)
    assert all(finding.message.endswith(".") and finding.path for finding in found)
    assert len({finding.severity for finding in found}) <= 1, "as long as nobody can buy it, nothing else matters"


@given(st.sampled_from([MAIL, CAP, STORAGE]), st.integers(1, 99), st.one_of(st.integers(0, 99), st.just(UNLIMITED)))
def test_only_a_minimum_lowers(definition: FeatureDefinition, given_value: int, base: Value) -> None:
    feature = content_of(cep({definition: given_value})).features[definition.code]
    effect = effect_of(feature, base)
    assert (effect is Effect.LOWERS) <= (definition is CAP)
    assert effect_of(feature, None) is Effect.GIVES
    if definition is STORAGE:
        assert (effect is Effect.NONE) == (base is UNLIMITED)
