"""The grammar of ExtraInfo: `set=a,b,c` and nothing else. Rules C-11, C-14, C-15 of docs/rules.md."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.models.module import validate_module
from licensing.extra_info import MAX_LENGTH, BadExtraInfo, compose_set, is_user_plan, parse_set

# As published for the Premium plan of Sales, and for all three Premium plans together.
SALES_PREMIUM = (
    "set=user,web,pocket-crm-cal,selection-cal,relation-cal,report-cal,chat-cal,forms-cal,sale-cal,t2,saint-cal,"
    "target-cal,project-cal,quote-cal,guide-cal,stakeholder-cal,dash-cal,selection-combined-cal"
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("set=user", ("user",)),
        ("set=user,web", ("user", "web")),
        ("set=web,user", ("web", "user")),
        ("set=", ()),
        ("set=t2", ("t2",)),
        ("set=7", ("7",)),
        ("set=ej-mod-spm-cal", ("ej-mod-spm-cal",)),
        ("set=superlicense-ej-customer centre,user", ("superlicense-ej-customer centre", "user")),
    ],
)
def test_it_is_read(text: str, names: tuple[str, ...]) -> None:
    assert parse_set(text) == names
    assert compose_set(names) == text


def test_the_published_set_is_read() -> None:
    assert len(parse_set(SALES_PREMIUM)) == 18


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with set="),
        ("set", "begins with set="),
        ("user,web", "begins with set="),
        ("SET=user", "begins with set="),
        (" set=user", "begins with set="),
        ("set =user", "begins with set="),
        ("reset=user", "begins with set="),
        ("unset=user", "begins with set="),
        ("set:user", "begins with set="),
        ("=user", "begins with set="),
        ("set==user", "'=user' is not a module name"),
        ("set=user=web", "'user=web' is not a module name"),
        ("set=user,", "'' is not a module name"),
        ("set=,user", "'' is not a module name"),
        ("set=user,,web", "'' is not a module name"),
        ("set=user, web", "' web' is not a module name"),
        ("set= user", "' user' is not a module name"),
        ("set=user ", "'user ' is not a module name"),
        ("set=user\n", "is not a module name"),
        ("set=user;web", "'user;web' is not a module name"),
        ("set=User", "'User' is not a module name"),
        ("set=superoffice.user", "'superoffice.user' is not a module name"),
        ("set=-user", "'-user' is not a module name"),
        ("set=user-", "'user-' is not a module name"),
        ("set=bruker-ø", "is not a module name"),
        ("set=user,web,user", "Named twice: user."),
        ("set=b,a,b,a", "Named twice: a, b."),
        ("set=" + "a" * (MAX_LENGTH - 3), "4000 characters; 3999 fit"),
    ],
)
def test_it_is_refused_and_says_why(text: str, said: str) -> None:
    with pytest.raises(BadExtraInfo, match=re.escape(said)):
        parse_set(text)


def test_as_much_as_the_field_holds() -> None:
    name = "a" * (MAX_LENGTH - 4)
    assert parse_set(f"set={name}") == (name,)


@pytest.mark.parametrize(
    "names", [[""], ["user", ""], ["user,web"], ["User"], ["user", "user"], ["superoffice.user"], [" user"]], ids=repr
)
def test_what_can_not_be_read_back_is_not_composed(names: list[str]) -> None:
    with pytest.raises(BadExtraInfo):
        compose_set(names)


MODULE_NAMES = st.from_regex(r"[a-z0-9]([a-z0-9 -]{0,8}[a-z0-9])?", fullmatch=True)


@given(st.lists(MODULE_NAMES, unique=True, max_size=20))
def test_every_list_of_module_names_comes_back_in_order(names: list[str]) -> None:
    for name in names:
        validate_module(name)  # what the catalog lets a module be called
    assert parse_set(compose_set(names)) == tuple(names)


@given(st.text(max_size=30))
def test_what_is_read_is_spelled_in_one_way(text: str) -> None:
    try:
        names = parse_set(f"set={text}")
    except BadExtraInfo:
        return
    assert compose_set(names) == f"set={text}"


@pytest.mark.parametrize(
    ("flags", "info", "expected"),
    [
        (1, "set=user", True),
        (1, "set=", True),
        (0, "", False),
        (0, None, False),
        (2, "", False),
        (0, "anything else", False),
        (1, "", None),
        (1, None, None),
        (1, "user,web", None),
        (0, "set=user", None),
        (2, "set=user", None),
        (3, "set=user", None),
    ],
)
def test_a_user_plan_is_the_flag_and_the_set(flags: int, info: str | None, expected: bool | None) -> None:
    if expected is not None:
        assert is_user_plan(flags, info) is expected
        return
    with pytest.raises(BadExtraInfo, match="go together"):
        is_user_plan(flags, info)
