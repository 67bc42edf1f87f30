"""An offer to administer a customer, or to look at it, sent to an e-mail address."""

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from customers.models.access import Membership
from customers.querysets import InvitationQuerySet


class Invitation(models.Model):
    """Whoever has the link that was sent to the address may accept, once, until it expires.

    Only the link's SHA-256 is kept. An accepted or withdrawn invitation stays as the record of it.
    """

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="invitations")
    email = models.EmailField("e-mail address", max_length=254)
    role = models.CharField(max_length=16, choices=Membership.Role)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    inviter = models.CharField(max_length=254, help_text="How whoever invites was called then.")
    invited_at = models.DateTimeField(default=timezone.now)
    token_digest = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of the token, hex.")
    sent_at = models.DateTimeField(default=timezone.now, help_text="When the newest link was sent.")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="invitations_accepted"
    )
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ("customer", "email")
        constraints = (
            models.UniqueConstraint(
                "customer",
                Lower("email"),
                condition=models.Q(accepted_at=None, withdrawn_at=None),
                name="invitation_open_once",
                violation_error_message="This address has been invited already.",
            ),
            models.CheckConstraint(
                condition=models.Q(accepted_at=None) | models.Q(withdrawn_at=None),
                name="invitation_accepted_or_withdrawn",
            ),
        )

    def __str__(self) -> str:
        return f"{self.email} to {self.customer}"

    def is_usable(self, at: datetime) -> bool:
        """Whether its link still opens something."""
        return self.accepted_at is None and self.withdrawn_at is None and at < self.expires_at
