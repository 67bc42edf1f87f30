"""What an entitlement is as a flag of OpenFeature. Rules A-1 to A-3."""

from __future__ import annotations

from typing import Any

import pytest

from licensing.flags import flag_of

COMMON = {"plan": "sales-premium", "revision": 7}


@pytest.mark.parametrize(
    ("entitlement", "value", "variant", "reason"),
    [
        ({"kind": "switch", "access": "edit", "value": True}, True, "on", "TARGETING_MATCH"),
        ({"kind": "switch", "access": "view", "value": False}, False, "off", "DEFAULT"),
        ({"kind": "switch", "access": "none", "value": False}, False, "off", "DEFAULT"),
        ({"kind": "limit", "access": "edit", "value": 500, "unlimited": False}, 500, "500", "TARGETING_MATCH"),
        (
            {"kind": "limit", "access": "edit", "value": None, "unlimited": True},
            2**31 - 1,
            "unlimited",
            "TARGETING_MATCH",
        ),
        ({"kind": "limit", "access": "view", "value": None, "unlimited": False}, 0, "0", "DEFAULT"),
        ({"kind": "level", "access": "edit", "value": "custom"}, "custom", "custom", "TARGETING_MATCH"),
        ({"kind": "level", "access": "view", "value": None}, "none", "none", "DEFAULT"),
    ],
)
def test_a_feature_as_a_flag(entitlement: dict[str, Any], value: Any, variant: str, reason: str) -> None:
    flag = flag_of("it", entitlement, COMMON)
    assert (flag["key"], flag["value"], flag["variant"], flag["reason"]) == ("it", value, variant, reason)
    assert type(flag["value"]) is type(value)
    assert flag["metadata"].items() >= {**COMMON, "access": entitlement["access"]}.items()
    assert ("unlimited" in flag["metadata"]) == (entitlement["kind"] == "limit")
