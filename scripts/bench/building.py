"""Fills a database for the benchmark: what decides answers through the real services, the crowd in bulk.

Of every kind of user the services make one, with their seats, overrides, holding and periods. Everybody else of that
kind is copied from them inside the database, in one commit per customer: the rows that the services would have
written, at a small part of their time and in no memory of this process. `verify` checks a sample against the rules.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.db.models import Max

from catalog.models import Offer
from customers import audit
from customers.actor import SYSTEM
from customers.models import ApiClient, Customer, CustomerUser
from customers.services.keys import create_client, issue_key, revoke_key
from licensing import facts
from licensing.explaining import content_at
from licensing.models import ChangeSet, EntitlementSet, Override, Package, UserPeriod
from licensing.reading import read_user
from licensing.resolution import canonical, resolve
from licensing.selectors import holding_digest, holding_json, is_in_force, load_timeline, period_at, seats_held
from licensing.services.commit import Commit, customer_commit, database_clock
from licensing.services.onboarding import create_customer
from licensing.services.overrides import grant_override
from licensing.services.people import create_users, edit_user
from licensing.services.seats import UserWish, change_seats
from licensing.services.subscriptions import subscribe
from scripts.bench.population import Kind, Mix, Population, customer_code, user_code

SEED = Path(__file__).resolve().parents[2] / "catalog" / "seed"
LIMIT = "send-email-to"
CLIENT = "Benchmark"

# Everybody new, each with the user of their kind whom the services made: kinds[1] is of kind 0.
_COPIES = """
CREATE TEMPORARY TABLE bench_copy ON COMMIT DROP AS
SELECT n, (%(models)s::bigint[])[n %% %(kinds)s + 1] AS model_id, 0::bigint AS user_id
FROM generate_series(%(first)s, %(last)s) n
"""
_USERS = """
WITH made AS (
    INSERT INTO customers_customeruser
        (customer_id, code, name, email, can_log_in, is_former_employee, created_at)
    SELECT m.customer_id, 'u' || lpad(c.n::text, 7, '0'), 'User ' || c.n,
           'u' || c.n || '@' || %(customer_code)s || '.example', m.can_log_in, m.is_former_employee, %(at)s
    FROM bench_copy c JOIN customers_customeruser m ON m.id = c.model_id
    RETURNING id, code
)
UPDATE bench_copy c SET user_id = made.id FROM made WHERE made.code = 'u' || lpad(c.n::text, 7, '0')
"""
_FOLLOWING = (
    """
    INSERT INTO licensing_changesetrow (customer_id, change_set_id, user_id, before, after)
    SELECT r.customer_id, %(change_set)s, c.user_id, '[]', r.after
    FROM bench_copy c JOIN licensing_changesetrow r ON r.user_id = c.model_id
    WHERE r.before = '[]' AND r.after <> '[]' AND EXISTS (
        SELECT FROM licensing_seat s WHERE s.user_id = c.model_id AND s.released_at IS NULL)
    """,
    """
    INSERT INTO licensing_seat (customer_id, user_id, owner_id, module_name, assigned_at, assigned_in_id, comment)
    SELECT s.customer_id, c.user_id, s.owner_id, s.module_name, %(at)s, %(change_set)s, ''
    FROM bench_copy c JOIN licensing_seat s ON s.user_id = c.model_id AND s.released_at IS NULL
    """,
    """
    INSERT INTO licensing_override
        (customer_id, user_id, feature_id, definition, mode, value, unlimited, reason, starts_at, ends_at, created_by,
         created_at)
    SELECT o.customer_id, c.user_id, o.feature_id, o.definition, o.mode, o.value, o.unlimited, o.reason, %(at)s,
           o.ends_at, o.created_by, %(at)s
    FROM bench_copy c JOIN licensing_override o ON o.user_id = c.model_id AND o.ended_at IS NULL
    """,
    """
    INSERT INTO licensing_userperiod (customer_id, user_id, holding_id, starts_at, ends_at)
    SELECT p.customer_id, c.user_id, p.holding_id, greatest(p.starts_at, %(at)s), p.ends_at
    FROM bench_copy c JOIN licensing_userperiod p ON p.user_id = c.model_id
    WHERE p.ends_at IS NULL OR p.ends_at > %(at)s
    """,
)


class WrongDataError(Exception):
    """One sentence for the terminal: where the data that was built is not what the rules say."""


def prepare(population: Population) -> None:
    """Makes tables, catalog, and the customers with what they buy; no users yet."""
    call_command("migrate", verbosity=0)
    call_command("catalog", "apply", "--publish", str(SEED), verbosity=0)
    for number, mix in population.mixes():
        create_customer_of(number, mix)


def populate(population: Population) -> None:
    """Adds users until there are as many as `population` says."""
    modules = dict(Offer.objects.exclude(module=None).values_list("code", "module__name"))
    for number, mix in population.mixes():
        add_users(Customer.objects.get(code=customer_code(number)), mix, population.sizes[number], modules)
    with connection.cursor() as cursor:  # what autovacuum would do in a quiet hour
        cursor.execute("VACUUM (ANALYZE)")


def new_key() -> str:
    """Returns a key for the benchmark's API client, which may read entitlements everywhere; older keys die."""
    at = database_clock()
    found = ApiClient.objects.filter(name=CLIENT).first()
    client = found or create_client(actor=SYSTEM, name=CLIENT, scopes=["entitlements:read"], at=at)
    for key in client.keys.filter(revoked_at=None):
        revoke_key(actor=SYSTEM, key=key, at=at)
    return issue_key(actor=SYSTEM, client=client, at=at)[1]


def create_customer_of(number: int, mix: Mix) -> None:
    code = customer_code(number)
    customer = create_customer(actor=SYSTEM, code=code, name=f"Customer {number}", serial_number=f"{10**9 + number}")
    subscribe(customer=customer, actor=SYSTEM, billing_months=12, items=mix.items)
    if mix.has_override:
        grant_override(
            customer=customer, actor=SYSTEM, feature=LIMIT, mode=facts.Mode.AT_LEAST, value=2000, reason="Benchmark"
        )


def add_users(customer: Customer, mix: Mix, size: int, modules: Mapping[str, str]) -> None:
    """Makes the first user of each kind by the services, then copies them until the customer has `size`."""
    present = CustomerUser.objects.of(customer).count()
    _make_models(customer, mix.kinds[present:size], present, modules)
    first = max(present, len(mix.kinds))
    if first >= size:
        return
    codes = [user_code(number) for number in range(len(mix.kinds))]
    models = dict(CustomerUser.objects.of(customer).filter(code__in=codes).values_list("code", "pk"))
    with customer_commit(customer=customer, actor=SYSTEM, cause="users.created") as commit:
        _copy(commit, [models[code] for code in codes], first, size - 1)
        commit.changed()


def _make_models(customer: Customer, kinds: Sequence[Kind], first: int, modules: Mapping[str, str]) -> None:
    if not kinds:
        return
    people = [{"code": user_code(n), "name": f"User {n}", "kind": kind} for n, kind in enumerate(kinds, start=first)]
    users = create_users(customer=customer, actor=SYSTEM, users=people)
    wishes = [
        UserWish(user.code, assign=tuple(modules[code] for code in kind.holds))
        for user, kind in zip(users, kinds, strict=True)
        if kind.holds
    ]
    change_seats(customer=customer, actor=SYSTEM, wishes=wishes, reason="Benchmark")
    for user, kind in zip(users, kinds, strict=True):
        if kind.is_former:
            edit_user(customer=customer, actor=SYSTEM, user=user, reason="Benchmark", is_former_employee=True)
        if kind.has_override:
            grant_override(
                customer=customer,
                actor=SYSTEM,
                user=user,
                feature=LIMIT,
                mode=facts.Mode.SET,
                value="unlimited",
                reason="Benchmark",
            )


def _copy(commit: Commit, models: Sequence[int], first: int, last: int) -> None:
    """Writes the users `first` to `last` in the likeness of `models`, one of each kind, as one change set."""
    numbers = ChangeSet.objects.filter(customer=commit.customer).aggregate(last=Max("number"))
    change_set = ChangeSet.objects.create(
        customer=commit.customer,
        number=(numbers["last"] or 0) + 1,
        at=commit.at,
        actor=commit.actor.label,
        reason="Benchmark",
        revision=commit.changed(),
    )
    parameters: dict[str, Any] = {
        "models": list(models),
        "kinds": len(models),
        "first": first,
        "last": last,
        "at": commit.at,
        "change_set": change_set.pk,
        "customer_code": commit.customer.code,
    }
    with connection.cursor() as cursor:
        for statement in (_COPIES, _USERS, "ANALYZE bench_copy", *_FOLLOWING):
            cursor.execute(statement, parameters)
    audit.record(
        actor=commit.actor,
        action="users.created",
        object_type="customer",
        object_code=commit.customer.code,
        customer=commit.customer,
        changes={"users": last - first + 1},
        at=commit.at,
    )


def verify(population: Population, sample: int) -> int:
    """Checks the counts, and of `sample` random users that the stored answer is what the rules say; returns how many.

    The rules are asked twice: on the recorded holding, as *explain* does, and on the seats and overrides themselves.
    Raises WrongDataError.
    """
    _compare("users", CustomerUser.objects.count(), population.users)
    _compare("open periods", UserPeriod.objects.filter(ends_at=None).count(), population.users)
    _compare("pending packages", Package.objects.filter(state=Package.State.PENDING).count(), 0)
    dice = random.Random(population.users)  # noqa: S311 - a sample, not a secret
    chosen = dice.sample(range(population.users), min(sample, population.users))
    for index in chosen:
        _verify_user(*population.user(index))
    return len(chosen)


def _verify_user(customer_code: str, code: str) -> None:
    reading = read_user(customer_code, code)
    if reading is None or reading.set_id is None:
        raise WrongDataError(f"Nothing is recorded of {customer_code}/{code}.")
    customer = Customer.objects.get(code=customer_code)
    user = CustomerUser.objects.of(customer).get(code=code)
    stored = EntitlementSet.objects.get(pk=reading.set_id).body
    anew = content_at(customer, user, reading.as_of)
    _compare(f"set of {customer_code}/{code}", stored, canonical(anew or {}))
    kind = facts.HolderKind.USER if user.may_hold_seats else facts.HolderKind.INACTIVE
    seats = seats_held([user])[user.pk]
    live = [o for o in Override.objects.filter(user=user).select_related("feature") if is_in_force(o, reading.as_of)]
    overrides = tuple(override.fact() for override in live)
    holding = facts.Holding(kind, frozenset(seats), overrides)
    resolved = resolve(load_timeline(customer, reading.as_of).facts(reading.as_of), holding).content()
    _compare(f"set of {customer_code}/{code} by its seats", stored, canonical(resolved))
    period = period_at(user, reading.as_of)
    if period is not None:
        digest = holding_digest(holding_json(kind, seats, overrides))
        _compare(f"holding of {customer_code}/{code}", period.holding.digest, digest)


def _compare(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise WrongDataError(f"{what}: found {found!r:.300}, expected {expected!r:.300}.")
