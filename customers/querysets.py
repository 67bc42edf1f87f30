"""The words that queries about customers and their users are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import Count, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Lower

if TYPE_CHECKING:
    from datetime import datetime

    from customers.models import (
        AuditEvent,
        Customer,
        CustomerUser,
        Invitation,
        Membership,
        WebhookDelivery,
        WebhookEndpoint,
    )

    AuditEventRows = QuerySet[AuditEvent]
    CustomerRows = QuerySet[Customer]
    CustomerUserRows = QuerySet[CustomerUser]
    InvitationRows = QuerySet[Invitation]
    MembershipRows = QuerySet[Membership]
    WebhookDeliveryRows = QuerySet[WebhookDelivery]
    WebhookEndpointRows = QuerySet[WebhookEndpoint]
else:
    AuditEventRows = CustomerRows = CustomerUserRows = InvitationRows = MembershipRows = QuerySet
    WebhookDeliveryRows = WebhookEndpointRows = QuerySet

WORDS_SEARCHED: Final = 5


class AuditEventQuerySet(AuditEventRows):
    def search(self, text: str) -> AuditEventQuerySet:
        """Those that have every word of the text in who did it, what it was, what it was done to, or why."""
        rows = self
        for word in text.split()[:WORDS_SEARCHED]:
            in_words = Q(actor__icontains=word) | Q(action__icontains=word) | Q(reason__icontains=word)
            rows = rows.filter(in_words | Q(object_code__icontains=word))
        return rows

    def by(self, who: str) -> AuditEventQuerySet:
        """What an account did (an e-mail address names it, whatever it was called), or anybody called like this."""
        return self.filter(account__email__iexact=who) if "@" in who else self.filter(actor__icontains=who)


class CustomerQuerySet(CustomerRows):
    def search(self, text: str) -> CustomerQuerySet:
        return self.filter(Q(code__icontains=text) | Q(name__icontains=text) | Q(serial_number__startswith=text))

    def named(self, code: str) -> CustomerQuerySet:
        # Spelt as the unique constraint is, so that its index serves; `iexact` would compare in upper case.
        return self.alias(lower_code=Lower("code")).filter(lower_code=code.lower())


class CustomerUserQuerySet(CustomerUserRows):
    def of(self, customer: Customer | int) -> CustomerUserQuerySet:
        return self.filter(customer=customer)

    def named(self, code: str) -> CustomerUserQuerySet:
        # As with customers: spelt so that the unique index on (customer, lower code) serves.
        return self.alias(lower_code=Lower("code")).filter(lower_code=code.lower())

    def search(self, text: str) -> CustomerUserQuerySet:
        return self.filter(Q(code__icontains=text) | Q(name__icontains=text) | Q(email__icontains=text))

    def able_to_hold_seats(self) -> CustomerUserQuerySet:
        return self.filter(can_log_in=True, is_former_employee=False)


class MembershipQuerySet(MembershipRows):
    def of(self, customer: Customer | int) -> MembershipQuerySet:
        return self.filter(customer=customer)

    def search(self, text: str) -> MembershipQuerySet:
        return self.filter(Q(account__name__icontains=text) | Q(account__email__icontains=text))

    def administering(self) -> MembershipQuerySet:
        """Admins who can sign in."""
        return self.filter(role="admin", account__is_active=True)


class InvitationQuerySet(InvitationRows):
    def of(self, customer: Customer | int) -> InvitationQuerySet:
        return self.filter(customer=customer)

    def to(self, email: str) -> InvitationQuerySet:
        """Those to this address, ignoring case."""
        return self.alias(lower_email=Lower("email")).filter(lower_email=email.lower())

    def open(self) -> InvitationQuerySet:
        """Neither accepted nor withdrawn; their links may have run out."""
        return self.filter(accepted_at=None, withdrawn_at=None)

    def usable(self, at: datetime) -> InvitationQuerySet:
        return self.open().filter(expires_at__gt=at)

    def search(self, text: str) -> InvitationQuerySet:
        return self.filter(email__icontains=text)


class EndpointQuerySet(WebhookEndpointRows):
    def listening(self, customer: Customer | None) -> EndpointQuerySet:
        """Endpoints that are told of this customer's events; of what concerns no customer: the global ones."""
        mine = Q(customer=None) if customer is None else Q(customer=None) | Q(customer=customer)
        return self.filter(mine, is_active=True)


class DeliveryQuerySet(WebhookDeliveryRows):
    def open(self) -> DeliveryQuerySet:
        """Neither delivered nor given up."""
        return self.filter(delivered_at=None, given_up_at=None)

    def by_state(self, state: str) -> DeliveryQuerySet:
        """Those that are `waiting`, `delivered` or `given_up`."""
        if state == "waiting":
            return self.open()
        return self.exclude(delivered_at=None) if state == "delivered" else self.exclude(given_up_at=None)

    def due(self, now: datetime) -> DeliveryQuerySet:
        """What may be tried at `now`: of each endpoint and customer the earliest that is open (J-3)."""
        free = Q(leased_until=None) | Q(leased_until__lte=now)
        of_each = type(self)(self.model).open().order_by().values("endpoint", "customer")
        return self.filter(
            free,
            pk__in=of_each.annotate(first=Min("pk")).values("first"),
            next_attempt_at__lte=now,
            endpoint__is_active=True,
        )

    def with_room(self, now: datetime, *, at_once: int) -> DeliveryQuerySet:
        """Those whose endpoint gets fewer than so many at this moment."""
        leased = type(self)(self.model).open().filter(endpoint=OuterRef("endpoint"), leased_until__gt=now)
        busy = leased.order_by().values("endpoint").annotate(count=Count("pk")).values("count")
        return self.alias(busy=Coalesce(Subquery(busy), 0)).filter(busy__lt=at_once)
