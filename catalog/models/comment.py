"""What people say to each other about a draft."""

from django.db import models

from catalog.models.version import Version, account_key

LONGEST = 2000


class VersionComment(models.Model):
    """A remark on a draft. Nobody edits it, and it stays with the version once that is published (T-5)."""

    version = models.ForeignKey(Version, models.CASCADE, related_name="comments")
    at = models.DateTimeField()
    account = account_key()
    actor = models.CharField(max_length=254, help_text="How whoever said it was called then.")
    text = models.TextField(max_length=LONGEST)

    class Meta:
        ordering = ("at", "pk")
        constraints = (models.CheckConstraint(condition=~models.Q(text=""), name="comment_says_something"),)

    def __str__(self) -> str:
        return f"{self.actor}: {self.text[:60]}"
