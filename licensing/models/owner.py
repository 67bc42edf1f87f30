"""What is known of those who issue packages: their public keys, and what their plans are for."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models

from licensing.querysets import KeyQuerySet
from licensing.signing import BadKey, load_public_key


class OwnerKey(models.Model):
    """A public key with which an owner signs (Z-3). The private half is never here; keys may overlap."""

    owner = models.ForeignKey("catalog.Owner", models.PROTECT, related_name="keys")
    key_id = models.CharField(max_length=16, unique=True, editable=False, help_text="Of the public key's SHA-256.")
    public_key = models.CharField(max_length=64, help_text="Base64 of the 32 bytes of an Ed25519 key.")
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Empty: until it is retired.")
    retired_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[Any] = KeyQuerySet.as_manager()

    class Meta:
        ordering = ("owner", "-valid_from")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(valid_until=None) | models.Q(valid_until__gt=models.F("valid_from")),
                name="key_ends_after_it_begins",
            ),
        )

    def __str__(self) -> str:
        return f"{self.owner.code} {self.key_id}"

    def clean(self) -> None:
        try:
            key = load_public_key(self.public_key)
        except BadKey as fault:
            raise ValidationError({"public_key": str(fault)}) from fault
        self.public_key, self.key_id = key.text, key.key_id
        if OwnerKey.objects.filter(key_id=self.key_id).exclude(pk=self.pk).exists():
            raise ValidationError({"public_key": "This key is registered already."})


class OwnerPlan(models.Model):
    """What a plan of an owner covers, where its packages come without a link to the catalog (X-7)."""

    owner = models.ForeignKey("catalog.Owner", models.PROTECT, related_name="plans")
    module_name = models.CharField(max_length=239, help_text="The plan's module, without the owner.")
    solutions = models.ManyToManyField("catalog.Solution", related_name="+", blank=True)
    tier = models.ForeignKey("catalog.Tier", models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = "owner's plan"
        verbose_name_plural = "owners' plans"
        ordering = ("owner", "module_name")
        constraints = (models.UniqueConstraint(fields=["owner", "module_name"], name="owner_plan_once"),)

    def __str__(self) -> str:
        return f"{self.owner.code.lower()}.{self.module_name}"


class PackageSeal(models.Model):
    """Our signature over a package as it is recorded, and where it came from. Written once (Z-5).

    The package's and rows' own columns are what it covers, with these: how the owner called itself then. Of an imported
    package `document` is the file as it came, with its issuer's signatures.
    """

    package = models.OneToOneField("licensing.Package", models.PROTECT, related_name="seal")
    owner_description = models.CharField(max_length=254, blank=True)
    license_url = models.CharField(max_length=254, blank=True)
    key_id = models.CharField(max_length=16)
    signature = models.CharField(max_length=254)
    checks = models.JSONField(default=dict, help_text="Short checks per field, which name what was changed.")
    sealed_at = models.DateTimeField()
    issuer_key = models.ForeignKey(OwnerKey, models.PROTECT, null=True, related_name="+")
    document = models.TextField(blank=True)
    document_digest = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ("package",)
        indexes = (models.Index(fields=["document_digest"], name="seal_by_document"),)

    def __str__(self) -> str:
        return f"{self.package} by {self.key_id}"
