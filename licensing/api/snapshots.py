"""A whole customer at once, and what changed since: for apps that answer by themselves, also while we are away."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, TypeVar

from django.conf import settings
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from customers.access import access_of
from customers.api.pagination import LARGEST_PAGE
from customers.api.params import flag, instant, refuse_unknown, required_number, whole_number
from customers.api.schema import ProblemSerializer
from licensing import changes, snapshots
from licensing.api.answers import answered, in_words, is_known, tag_of, tagged, unchanged
from licensing.api.entitlements import AT, AT_LEAST, READ, refused
from licensing.api.snapshot_serializers import ChangesSerializer, SigningKeysSerializer, SnapshotSerializer
from licensing.errors import NotRecorded
from licensing.freshness import read_at_least, refuse_older
from licensing.keyring import all_keys_of
from licensing.own_key import own_key
from licensing.reading import HeldSet, held_sets
from licensing.snapshots import State

# What is signed begins with this, so that no other text of ours can be taken for a snapshot's.
SIGNED_AS: Final = "planarium snapshot 1 sha-256 "
KEY_HEADER: Final = "Planarium-Key-Id"
SIGNATURE_HEADER: Final = "Planarium-Signature"
CHANGES_PER_PAGE: Final = 50

_SIGNED: Final = OpenApiParameter(
    "signed",
    bool,
    description=f"Sign the body: see the headers `{KEY_HEADER}` and `{SIGNATURE_HEADER}` and docs/api.md.",
)
_AFTER: Final = OpenApiParameter(
    "after", int, required=True, description="The revision of the snapshot, or of the last page of changes."
)
_LIMIT: Final = OpenApiParameter("limit", int, description=f"How many revisions at most, 1 to {LARGEST_PAGE}.")
PROBLEM: Final = "application/problem+json"
_GONE: Final = OpenApiResponse(
    ProblemSerializer, description="Not all is kept, or a user was erased since: take a new snapshot"
)

_Found = TypeVar("_Found", bound=State)


class _OfCustomer(APIView):
    """What both share: finding the customer, and who may see it."""

    required_scopes: ClassVar[dict[str, str]] = {"GET": READ}

    def find(self, request: Request, customer: str, read: Callable[..., _Found | None], least: int | None) -> _Found:
        """Returns what is read of the customer. Raises Invalid, NotFound, Forbidden or RevisionNotReached."""
        found = read_at_least(least, lambda using: read(customer, using=using))
        access = access_of(request)
        if found is None or not access.allows(READ, found.customer_id):
            raise refused(access, customer)
        refuse_older(least, found.recorded, found.customer)
        return found


class Snapshot(_OfCustomer):
    @extend_schema(parameters=[AT, AT_LEAST, _SIGNED], responses=SnapshotSerializer)
    def get(self, request: Request, customer: str) -> HttpResponseBase:
        """Every user's answer at once: each set once, and which user has which. Signed on request, for use offline."""
        refuse_unknown(request, ["at", "min_revision", "signed"])
        is_signed, at, least = flag(request, "signed"), instant(request), whole_number(request, "min_revision")
        if request.META.get("HTTP_IF_NONE_MATCH"):

            def state(code: str, using: str) -> State | None:
                return snapshots.read_state(code, at, using=using)

            tag = tag_of(request, self.find(request, customer, state, least).etag)
            if is_known(request, tag):
                return unchanged(tag)

        def read(code: str, using: str) -> snapshots.Snapshot | None:
            return snapshots.read_snapshot(code, at, using=using)

        found = self.find(request, customer, read, least)
        if found.whole is None:
            raise NotRecorded("customer", customer, found.as_of)
        tag, parts = tag_of(request, found.etag), _spelled(found, held_sets(found.set_ids))
        return _signed(b"".join(parts), tag) if is_signed else _streamed(parts, tag)


class Changes(_OfCustomer):
    @extend_schema(parameters=[_AFTER, _LIMIT, AT_LEAST], responses={200: ChangesSerializer, (410, PROBLEM): _GONE})
    def get(self, request: Request, customer: str) -> HttpResponseBase:
        """What changed after a revision, in order and whole, by whatever cause: a write, or the clock."""
        refuse_unknown(request, ["after", "limit", "min_revision"])
        after = required_number(request, "after", "The revision to begin after, for instance that of a snapshot.")
        most = whole_number(request, "limit", least=1, most=LARGEST_PAGE) or CHANGES_PER_PAGE
        state = self.find(request, customer, snapshots.read_state, whole_number(request, "min_revision"))
        tag = tag_of(request, state.etag)
        if is_known(request, tag):
            return unchanged(tag)
        page = changes.changes_after(state, after, most=most)
        return answered(json.dumps(_page(state, page), separators=(",", ":")).encode(), tag)


class SigningKeys(APIView):
    required_scopes: ClassVar[dict[str, str]] = {"GET": READ}

    @extend_schema(responses=SigningKeysSerializer)
    def get(self, request: Request) -> Response:
        """The public keys with which signed snapshots (and packages) are verified, retired ones too."""
        refuse_unknown(request, [])
        keys = sorted(all_keys_of(settings.OWN_OWNER).items())
        return Response({"keys": [{"key_id": k, "algorithm": "ed25519", "public_key": key.text} for k, key in keys]})


# ── A snapshot ──────────────────────────────────────────────────────────────
def _spelled(found: snapshots.Snapshot, held: Mapping[int, HeldSet]) -> Iterator[bytes]:
    """Yields the answer piece by piece: a set at a time, and the users of a set at a time."""
    places = {set_id: place for place, set_id in enumerate(found.set_ids)}
    head = {
        "customer": found.customer,
        "revision": found.revision,
        "as_of": in_words(found.as_of),
        "valid_until": _or_none(found.valid_until),
        "status": found.status,
    }
    whole = "null" if found.whole is None else places[found.whole]
    yield f'{_json(head)[:-1]},"owners":{found.owners},"whole":{whole},"sets":['.encode()
    for set_id, place in places.items():
        yield (b",{" if place else b"{") + held[set_id].tail
    yield b'],"users":{'
    before = ""
    for set_id, place in places.items():
        codes = found.users.get(set_id)
        if codes:
            # A code has nothing in it that JSON would escape (customers.validators.validate_user_code).
            joined = f'":{place},"'.join(codes)
            yield f'{before}"{joined}":{place}'.encode()
            before = ","
    yield b"}}"


def _streamed(parts: Iterator[bytes], tag: str) -> StreamingHttpResponse:
    return tagged(StreamingHttpResponse(parts, content_type="application/json"), tag)


def _signed(body: bytes, tag: str) -> HttpResponseBase:
    """Returns the answer with a signature over its digest beside it. Raises NoSigningKey."""
    key = own_key()
    response = answered(body, tag)
    response[KEY_HEADER] = key.key_id
    response[SIGNATURE_HEADER] = key.sign(SIGNED_AS + hashlib.sha256(body).hexdigest())
    return response


# ── Changes ─────────────────────────────────────────────────────────────────
def _page(state: State, page: changes.Changes) -> dict[str, Any]:
    told = {set_id: None for change in page.changes for set_id in (change.whole, *change.users.values())}
    places = {set_id: place for place, set_id in enumerate(set_id for set_id in told if set_id is not None)}
    held = held_sets(places)
    due = state.due_at if state.due_at is not None and state.due_at > state.as_of else None
    return {
        "customer": state.customer,
        "revision": page.revision,
        "has_more": page.revision < state.revision,
        "as_of": in_words(state.as_of),
        "valid_until": _or_none(due),
        "changes": [
            {
                "revision": change.revision,
                "at": in_words(change.at),
                "status": change.status,
                "owners": change.owners,
                "whole": None if change.whole is None else places[change.whole],
                "users": {code: places[set_id] for code, set_id in change.users.items()},
            }
            for change in page.changes
        ],
        "sets": [json.loads(b"{" + held[set_id].tail) for set_id in places],
    }


def _or_none(at: datetime | None) -> str | None:
    return None if at is None else in_words(at)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
