"""Filters of the licensing lists."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django_filters import FilterSet
from django_filters.rest_framework import CharFilter, ChoiceFilter, IsoDateTimeFilter

from catalog.models import Feature, Offer
from customers.api.filters import YesNoFilter
from customers.errors import Invalid
from customers.models import ApiClient, CustomerUser, WebhookDelivery
from customers.querysets import DeliveryQuerySet
from licensing.facts import Mode
from licensing.models import (
    ChangePreviewRow,
    ChangeSet,
    Migration,
    MigrationCustomer,
    ModuleLicense,
    Override,
    Package,
    Seat,
    SeatRequest,
    UserPeriod,
)


class UserFilter(FilterSet):
    plan = CharFilter(method="by_plan", label="The code of a plan or add-on held.")
    multi_plan = YesNoFilter(method="by_multi_plan", label="Whether the plans held cover more than one solution.")
    status = ChoiceFilter(
        method="by_status",
        choices=[("active", "active"), ("cannot_log_in", "cannot log in"), ("former_employee", "former employee")],
        label="What the user is; erased users are former employees.",
    )
    search = CharFilter(method="by_text", label="Part of the code, name or e-mail address.")

    class Meta:
        model = CustomerUser
        fields: tuple[str, ...] = ()

    def by_text(self, rows: Any, name: str, text: str) -> Any:
        return rows.search(text)

    def by_status(self, rows: Any, name: str, status: str) -> Any:
        if status == "former_employee":
            return rows.filter(is_former_employee=True)
        return rows.filter(is_former_employee=False, can_log_in=status == "active")

    def by_plan(self, rows: QuerySet[CustomerUser], name: str, code: str) -> QuerySet[CustomerUser]:
        if not Offer.objects.named(code).exists():
            raise Invalid(
                f"There is no plan or add-on {code!r}.", [{"field": "plan", "message": "Not in the catalog."}]
            )
        sold = ModuleLicense.objects.filter(offer_code__iexact=code).active()
        here = sold.filter(
            customer=OuterRef("customer"), package__owner=OuterRef("owner"), module_name=OuterRef("module_name")
        )
        return rows.filter(Exists(Seat.objects.held().filter(Exists(here), user=OuterRef("pk"))))

    def by_multi_plan(self, rows: QuerySet[CustomerUser], name: str, wanted: bool) -> QuerySet[CustomerUser]:
        return with_multi_plan(rows, wanted)


def with_multi_plan(rows: QuerySet[CustomerUser], wanted: bool) -> QuerySet[CustomerUser]:
    """Returns the users whose plans cover more than one solution now (or not), by their recorded sets."""
    now = timezone.now()
    open_now = Q(ends_at=None) | Q(ends_at__gt=now)
    periods = UserPeriod.objects.filter(open_now, user=OuterRef("pk"), starts_at__lte=now)
    multi = periods.filter(
        Q(holding__periods__ends_at=None) | Q(holding__periods__ends_at__gt=now),
        holding__periods__starts_at__lte=now,
        holding__periods__set__multi_plan=True,
    )
    return rows.filter(Exists(multi)) if wanted else rows.exclude(Exists(multi))


class LicenseFilter(FilterSet):
    is_user_plan = YesNoFilter(field_name="is_plan")
    license_type = ChoiceFilter(choices=ModuleLicense.Type.choices)
    hidden = YesNoFilter()
    owner = CharFilter(field_name="package__owner__code", lookup_expr="iexact")
    search = CharFilter(method="by_text", label="Part of the module's name or description.")

    class Meta:
        model = ModuleLicense
        fields: tuple[str, ...] = ()

    def by_text(self, rows: QuerySet[ModuleLicense], name: str, text: str) -> QuerySet[ModuleLicense]:
        return rows.filter(Q(module_name__icontains=text) | Q(module_description__icontains=text))


class PackageFilter(FilterSet):
    owner = CharFilter(field_name="owner__code", lookup_expr="iexact")
    state = ChoiceFilter(choices=Package.State.choices)

    class Meta:
        model = Package
        fields: tuple[str, ...] = ()


class OverrideFilter(FilterSet):
    user = CharFilter(field_name="user__code", lookup_expr="iexact", label="The code of a user.")
    of = ChoiceFilter(
        method="by_subject", choices=[("customer", "the whole customer"), ("user", "one user")], label="Whose it is."
    )
    feature = CharFilter(field_name="feature__code", lookup_expr="iexact", label="The code of a feature.")
    mode = ChoiceFilter(choices=[(mode.value, mode.value) for mode in Mode])
    state = ChoiceFilter(method="by_state", choices=Override.State.choices, label="What the clock makes of it.")
    search = CharFilter(method="by_text", label="Part of the feature, the user or the reason.")

    class Meta:
        model = Override
        fields: tuple[str, ...] = ()

    def by_subject(self, rows: Any, name: str, subject: str) -> Any:
        return rows.filter(user__isnull=subject == "customer")

    def by_state(self, rows: Any, name: str, state: str) -> Any:
        return rows.in_state(state, timezone.now())

    def by_text(self, rows: Any, name: str, text: str) -> Any:
        return rows.search(text)


class SeatRequestFilter(FilterSet):
    state = ChoiceFilter(choices=SeatRequest.State.choices, label="What became of it.")
    search = CharFilter(method="by_text", label="Part of the module, who asked, or the note.")

    class Meta:
        model = SeatRequest
        fields: tuple[str, ...] = ()

    def by_text(self, rows: Any, name: str, text: str) -> Any:
        return rows.search(text)


class MigrationFilter(FilterSet):
    offer = CharFilter(field_name="offer__code", lookup_expr="iexact", label="The code of a plan or add-on.")
    state = ChoiceFilter(choices=Migration.State.choices, label="The state it is in.")

    class Meta:
        model = Migration
        fields: tuple[str, ...] = ()


class MigrationCustomerFilter(FilterSet):
    state = ChoiceFilter(choices=MigrationCustomer.State.choices, label="The state the customer is in.")

    class Meta:
        model = MigrationCustomer
        fields: tuple[str, ...] = ()


class UsageFilter(FilterSet):
    feature = CharFilter(field_name="code", lookup_expr="iexact", label="The code of one limit.")
    search = CharFilter(method="by_text", label="Part of the limit's code or name.")

    class Meta:
        model = Feature
        fields: tuple[str, ...] = ()

    def by_text(self, rows: QuerySet[Feature], name: str, text: str) -> QuerySet[Feature]:
        return rows.filter(Q(code__icontains=text) | Q(name__icontains=text))


class ChangeSetFilter(FilterSet):
    user = CharFilter(field_name="rows__user__code", lookup_expr="iexact", label="The code of a user it changed.")
    actor = CharFilter(lookup_expr="icontains", label="Part of the name of who did it.")
    since = IsoDateTimeFilter(field_name="at", lookup_expr="gte", label="Made then or later.")
    until = IsoDateTimeFilter(field_name="at", lookup_expr="lt", label="Made before then.")

    class Meta:
        model = ChangeSet
        fields: tuple[str, ...] = ()


class PreviewRowFilter(FilterSet):
    outcome = ChoiceFilter(choices=ChangePreviewRow.Outcome.choices)
    code = CharFilter(label="The code of what is in the way.")
    user = CharFilter(field_name="user_code", lookup_expr="icontains", label="Part of the user's code.")

    class Meta:
        model = ChangePreviewRow
        fields: tuple[str, ...] = ()


class ClientFilter(FilterSet):
    search = CharFilter(field_name="name", lookup_expr="icontains", label="Part of the name.")

    class Meta:
        model = ApiClient
        fields: tuple[str, ...] = ()


class DeliveryFilter(FilterSet):
    state = ChoiceFilter(
        choices=[("waiting", "waiting"), ("delivered", "delivered"), ("given_up", "given up")], method="by_state"
    )
    type = CharFilter(field_name="event__type", label="The type of the event.")

    class Meta:
        model = WebhookDelivery
        fields: tuple[str, ...] = ()

    def by_state(self, rows: DeliveryQuerySet, name: str, state: str) -> DeliveryQuerySet:
        return rows.by_state(state)
