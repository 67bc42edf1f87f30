"""A list of users that somebody handed in, kept while it is turned into a change (rule N-6)."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from licensing.intake import Listing
from licensing.models.preview import new_token


class UserList(models.Model):
    """Pasted, uploaded or selected. It goes once its change is applied, at the latest after a day."""

    class Source(models.TextChoices):
        PASTED = "pasted", "pasted"
        FILE = "file", "uploaded"
        SELECTED = "selected", "selected"

    customer = models.ForeignKey("customers.Customer", models.CASCADE, related_name="+")
    token = models.CharField(max_length=43, unique=True, default=new_token, editable=False)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    created_at = models.DateTimeField(db_index=True)
    source = models.CharField(max_length=16, choices=Source)
    name = models.CharField(max_length=200, blank=True, help_text="Of the file.")
    content = models.JSONField(help_text="Its rows: licensing.intake.Listing.")
    answers = models.JSONField(default=dict, help_text="What was chosen for it last: columns, what to do.")
    preview = models.ForeignKey("licensing.ChangePreview", models.SET_NULL, null=True, related_name="lists")

    class Meta:
        ordering = ("-pk",)

    objects: ClassVar[Any] = models.Manager()

    def __str__(self) -> str:
        return self.name or f"list, {self.get_source_display()}"

    @property
    def listing(self) -> Listing:
        return Listing.from_json(self.content)
