"""What an entitlement is in the words of the OpenFeature Remote Evaluation Protocol. Pure. Rules A-1 to A-4.

A feature is a flag: a switch a boolean, a limit an integer, a level a string. Without `edit` a switch is false, a limit
0 and a level `none`, which is no choice of any level.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

UNLIMITED: Final = 2**31 - 1  # the largest integer that every SDK can hold; a limit above it is told as it
NOTHING: Final[Mapping[str, bool | int | str]] = {"switch": False, "limit": 0, "level": "none"}


def flag_of(key: str, entitlement: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the evaluation of one feature; `entitlement` has `kind`, `access`, `value` and, of limits, `unlimited`.

    `common` is the metadata that all flags of one answer share; values are booleans, numbers and strings, as the
    protocol has them. A limit too large for some SDK is UNLIMITED as a value; `metadata.limit` is the number itself.
    """
    kind, access = entitlement["kind"], entitlement["access"]
    is_unlimited = bool(entitlement.get("unlimited"))
    value = NOTHING[kind] if access != "edit" else UNLIMITED if is_unlimited else entitlement["value"]
    metadata = {**common, "access": access}
    held = value
    if kind == "limit":
        metadata["unlimited"] = is_unlimited
        if int(value) > UNLIMITED:
            metadata["limit"], held = value, UNLIMITED
    return {
        "key": key,
        "value": held,
        "reason": "TARGETING_MATCH" if access == "edit" else "DEFAULT",
        "variant": variant_of(kind, value, is_unlimited),
        "metadata": metadata,
    }


def variant_of(kind: str, value: bool | int | str, is_unlimited: bool) -> str:
    """Returns the name of the value: `on` or `off`, the choice, the number or `unlimited`."""
    if kind == "switch":
        return "on" if value else "off"
    return "unlimited" if is_unlimited else str(value)
