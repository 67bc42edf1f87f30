"""The grammar of `ExtraInfo` on a module licence: `set=a,b,c` marks a user plan (C-11, C-14). Pure.

    extra_info = command "=" [name *("," name)]

`set` is the only command. Names carry no owner, no spaces around them, and no order that means anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MAX_LENGTH: Final = 3999  # domain: ExtraInfo is a String(3999)
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9 -]*[a-z0-9])?\Z")


class BadExtraInfo(ValueError):
    """The text isn't of the grammar; the message is a sentence for people."""


def compose_set(names: Iterable[str]) -> str:
    """Returns `set=a,b,c` with the names in the order given. Raises BadExtraInfo where a name can't stand there."""
    listed = list(names)
    text = "set=" + ",".join(listed)
    if parse_set(text) != tuple(listed):  # a comma inside a name, or a name that is empty
        raise BadExtraInfo(f"{listed} are not all module names.")
    return text


def parse_set(text: str) -> tuple[str, ...]:
    """Returns the module names of `set=…`, in order; empty for `set=` (a plan that holds nothing, C-14).

    Raises BadExtraInfo for another command, a bad or doubled name, or more than 3999 characters.
    """
    if len(text) > MAX_LENGTH:
        raise BadExtraInfo(f"ExtraInfo has {len(text)} characters; {MAX_LENGTH} fit.")
    command, equals, listed = text.partition("=")
    if command != "set" or not equals:
        raise BadExtraInfo(f"ExtraInfo begins with set=, not {text[:20]!r}.")
    names = tuple(listed.split(",")) if listed else ()
    for name in names:
        if not _NAME.match(name):
            raise BadExtraInfo(f"{name!r} is not a module name.")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise BadExtraInfo(f"Named twice: {', '.join(doubled)}.")
    return names


def is_user_plan(extra_flags: int, extra_info: str | None) -> bool:
    """Whether a row is a user plan: ExtraFlags is 1 and ExtraInfo begins with `set=` (C-11).

    Raises BadExtraInfo when only one of the two holds.
    """
    flagged, listed = extra_flags == 1, (extra_info or "").startswith("set=")
    if flagged != listed:
        raise BadExtraInfo("ExtraFlags=1 and set= in ExtraInfo go together; this row has only one of them.")
    return flagged
