"""What the API's description says beside what the code tells by itself: examples, and the codes of problems (A-12).

Examples are in examples.yaml. A code that many operations share stands in SHARED; those of single operations in CODES.
docs/api.md explains them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

EXAMPLES: Final = Path(__file__).with_name("examples.yaml")
JSON: Final = "application/json"
REPEATABLE: Final = "Idempotency-Key"
PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}

SHARED: Final[Mapping[str, tuple[str, ...]]] = {
    "400": ("bad_request", "invalid"),
    "401": ("not_authenticated",),
    "403": ("permission_denied",),
    "404": ("not_found",),
    "429": ("throttled",),
}
# Of whatever has a body, and of whatever writes.
OF_BODIES: Final[Mapping[str, tuple[str, ...]]] = {"400": ("body_too_large", "malformed_json")}
OF_WRITES: Final[Mapping[str, tuple[str, ...]]] = {"403": ("csrf_failed",), "409": ("conflict",)}

_SEATS: Final = (
    "conflicting_plans",
    "missing_prerequisite",
    "module_is_hidden",
    "module_not_assignable",
    "module_not_in_package",
    "no_seat_left",
    "solution_would_be_lost",
    "user_cannot_hold_seats",
)
_ITEMS: Final = ("items_refused", "no_subscription", "package_does_not_fit", "subscription_cancelled")
_PREVIEW: Final = ("preview_blocked", "preview_expired", "preview_not_ready", "state_moved")
_USAGE: Final = ("not_counted",)
_READS: Final = {"404": ("not_recorded",), "409": ("revision_not_reached",)}
CODES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "getUserEntitlements": _READS,
    "getUserEntitlement": _READS,
    "getCustomerEntitlements": _READS,
    "getCustomerEntitlement": _READS,
    "getSnapshot": _READS,
    "getChanges": {"409": ("revision_not_reached",), "410": ("changes_gone",)},
    "getSeatDetail": {"404": ("seat_not_held",)},
    "putSeatDetail": {"404": ("seat_not_held",), "409": _SEATS},
    "deleteSeatDetail": {"404": ("seat_not_held",), "409": ("missing_prerequisite",)},
    "postChangeSetPreview": {"409": ("change_set_growing",)},
    "postChangeSetList": {"409": ("undo_too_late", *_PREVIEW)},
    "postChangeSetUndo": {"409": ("already_undone", "undo_too_late", *_PREVIEW)},
    "patchUserDetail": {"409": ("user_is_erased",)},
    "postUserErasure": {"400": ("not_confirmed",), "409": ("user_is_erased",)},
    "putSubscriptionDetail": {"409": ("items_refused", "package_does_not_fit")},
    "postSubscriptionCancel": {"409": ("no_subscription", "subscription_cancelled")},
    "postSubscriptionResume": {"409": ("no_subscription",)},
    "postItemList": {"409": _ITEMS},
    "patchItemDetail": {"409": _ITEMS},
    "deleteItemDetail": {"409": ("no_subscription", "nothing_scheduled")},
    "postActivate": {"409": ("nothing_to_activate", "package_does_not_fit")},
    "postSuperfluousSeats": {"404": ("seat_not_held",), "409": ("nothing_to_activate", "package_does_not_fit")},
    "postPackageList": {"400": ("bad_package",)},
    "getPackageDetail": {"409": ("package_damaged",)},
    "deletePartnerLicense": {"409": ("own_license_stays",)},
    "postOverrideList": {"409": ("override_refused",)},
    "deleteOverrideDetail": {"409": ("override_refused",)},
    "postWebhookList": {"409": ("too_many_webhooks",)},
    "postWebhookTest": {"409": ("webhook_off",)},
    "postAllWebhookTest": {"409": ("webhook_off",)},
    "postWebhookAgain": {"409": ("webhook_off",)},
    "postAllWebhookAgain": {"409": ("webhook_off",)},
    "postWebhookReplay": {"409": ("revision_not_reached", "webhook_off")},
    "postAllWebhookReplay": {"409": ("revision_not_reached", "webhook_off")},
    "postWebhookSecrets": {"409": ("two_live_secrets",)},
    "postAllWebhookList": {"409": ("too_many_webhooks",)},
    "postAllWebhookSecrets": {"409": ("two_live_secrets",)},
    "postClientKeys": {"409": ("client_inactive", "two_live_keys")},
    "getCustomerUsage": {"409": _USAGE},
    "getUserUsage": {"409": _USAGE},
    "putCustomerUsage": {"409": _USAGE},
    "putUserUsage": {"409": _USAGE},
    "postCustomerUsage": {"409": (*_USAGE, "usage_below_zero")},
    "postUserUsage": {"409": (*_USAGE, "usage_below_zero")},
    "postCustomerReserve": {"409": (*_USAGE, "limit_reached")},
    "postUserReserve": {"409": (*_USAGE, "limit_reached")},
    "postReservationConfirm": {"409": ("reservation_over",)},
    "deleteReservationDetail": {"409": ("reservation_over",)},
    "getLicenseOfAllOwners": {"403": ("customer_unclear",)},
    "getLicenseOfModule": {"403": ("customer_unclear",)},
    "getLicenseOfUser": {"403": ("customer_unclear",)},
    "getCurrentPrincipal": {"404": ("no_associate",)},
}
_DESCRIBED: Final = {"409": "Something is in the way", "422": "The key came with another request"}


def describe(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Adds codes and examples to the document; drf-spectacular's last step."""
    examples = shown()
    for method, operation in operations(result):
        for status, codes in codes_of(method, operation).items():
            refusal = operation["responses"].setdefault(
                status, {"content": PROBLEM, "description": _DESCRIBED.get(status, "")}
            )
            refusal["x-problem-codes"] = codes
            refusal["description"] += f": {', '.join(f'`{code}`' for code in codes)}"
        operation["responses"] = dict(sorted(operation["responses"].items()))
        for example in examples.get(operation["operationId"], ()):
            _show(operation, example)
    return result


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields every operation with its method."""
    for methods in document["paths"].values():
        yield from methods.items()


def codes_of(method: str, operation: Mapping[str, Any]) -> dict[str, list[str]]:
    """Returns by status the codes of the problems that an operation is refused with."""
    sources: list[Mapping[str, tuple[str, ...]]] = [SHARED, CODES.get(operation["operationId"], {})]
    if "requestBody" in operation:
        sources.append(OF_BODIES)
    if method != "get":
        sources.append(OF_WRITES)
    if any(parameter["name"] == REPEATABLE for parameter in operation.get("parameters", ())):
        sources.append({"422": ("idempotency_key_reused",)})
    own = {status for source in sources[1:] for status in source}
    told = {
        status: sorted(_all(source.get(status, ()) for source in sources))
        for status in sorted(own | (SHARED.keys() & operation["responses"].keys()))
    }
    return {status: codes for status, codes in told.items() if _is_problem(operation, status)}


@cache
def shown() -> dict[str, list[dict[str, Any]]]:
    """Returns the examples by operation."""
    found: dict[str, list[dict[str, Any]]] = {}
    for example in in_order():
        found.setdefault(example["operation"], []).append(example)
    return found


def in_order() -> list[dict[str, Any]]:
    """Returns the examples in the order in which they are asked.

    Each has `title`, `ask` (method and address), `answer`, and perhaps `body`, `status` (else 200) and `keep`: what of
    the answer (`member.member`) goes into later addresses, by the name that stands there in braces.
    """
    return list(yaml.safe_load(EXAMPLES.read_text()))


def _all(parts: Iterable[Iterable[str]]) -> set[str]:
    return {code for part in parts for code in part}


def _is_problem(operation: Mapping[str, Any], status: str) -> bool:
    """Whether that status is answered with a problem, or not described yet; flags have failures of their own."""
    answer = operation["responses"].get(status)
    return answer is None or "application/problem+json" in answer.get("content", {})


def _show(operation: dict[str, Any], example: Mapping[str, Any]) -> None:
    title = example["title"]
    if "body" in example:
        body = operation["requestBody"]["content"][JSON]
        body["examples"] = {title: {"value": example["body"]}}
    answer = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
    answer["content"][JSON].setdefault("examples", {})[title] = {"value": example["answer"]}
