"""Licence names and who issues them."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower

from catalog.querysets import ModuleQuerySet
from catalog.reserved import reserved_module, reserved_owner

validate_owner = RegexValidator(r"^[A-Z0-9]+\Z", "Use upper-case letters and digits only.", code="invalid_owner")
validate_module = RegexValidator(
    r"^[a-z0-9](?:[a-z0-9 -]*[a-z0-9])?\Z", "Use lower-case letters, digits and hyphens.", code="invalid_module"
)


class Owner(models.Model):
    """The issuer of licence packages (C-3). The own owner is named by the setting OWN_OWNER."""

    code = models.CharField(max_length=239, unique=True, validators=[validate_owner])
    name = models.CharField(max_length=254)
    license_url = models.URLField(max_length=254, blank=True)

    class Meta:
        ordering = ("code",)

    def __str__(self) -> str:
        return self.code

    def clean(self) -> None:
        if (why := reserved_owner(self.code)) is not None:
            raise ValidationError({"code": why})


class Module(models.Model):
    """A licence name such as `sale-cal`, of an owner (C-1, C-2, C-4). It carries features; it never grants one."""

    class Type(models.IntegerChoices):
        SITE = 1, "site"
        SATELLITE = 2, "satellite"
        USER = 3, "user"

    owner = models.ForeignKey(Owner, models.PROTECT, related_name="modules")
    name = models.CharField(max_length=239, validators=[validate_module])
    type = models.PositiveSmallIntegerField(choices=Type)
    description = models.CharField(max_length=254)
    tooltip = models.CharField(max_length=254, blank=True)
    hidden = models.BooleanField(default=False, help_text="Not listed for customers and not assigned by hand.")
    unrestricted = models.BooleanField(default=False, help_text="The count is not enforced.")
    prerequisite = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="dependents")
    sort_order = models.PositiveIntegerField(default=0)

    objects: ClassVar[Any] = ModuleQuerySet.as_manager()

    class Meta:
        ordering = ("owner", "sort_order", "name")
        constraints = (
            models.UniqueConstraint(
                "owner",
                Lower("name"),
                name="module_once_per_owner",
                violation_error_message="This owner has a module with this name already.",
            ),
            models.CheckConstraint(condition=models.Q(type__in=[1, 2, 3]), name="module_type_is_known"),
            models.CheckConstraint(
                condition=models.Q(prerequisite=None) | ~models.Q(prerequisite=models.F("id")),
                name="module_is_not_its_own_prerequisite",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def full_name(self) -> str:
        """`owner.module`, the owner in lower case."""
        return f"{self.owner.code.lower()}.{self.name}"

    def clean(self) -> None:
        if (why := reserved_module(self.name)) is not None:
            raise ValidationError({"name": why})
        if self.prerequisite is not None and self.prerequisite.owner_id != self.owner_id:
            raise ValidationError({"prerequisite": "A prerequisite is a module of the same owner."})
        if self.pk and (faults := self._changed_for_good()):
            raise ValidationError(faults)

    def _changed_for_good(self) -> dict[str, str]:
        """Owner, name and type stay once a published version ships the module: licence rows are known by them (C-5)."""
        recorded = Module.objects.select_related("owner").get(pk=self.pk)
        differing = [name for name in ("owner", "name", "type") if getattr(self, name) != getattr(recorded, name)]
        versions = self._meta.apps.get_model("catalog", "Version").objects.frozen()
        if not differing or not versions.filter(content__modules__has_key=recorded.full_name).exists():
            return {}
        return dict.fromkeys(differing, f"A published version ships {recorded.full_name}, so this stays.")
