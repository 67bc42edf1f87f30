"""Plans and add-ons: one table, so that codes, versions and rules are one machine for both."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models

from catalog.models.module import Module
from catalog.models.solution import Solution, Tier
from catalog.querysets import OfferManager, OfferQuerySet
from customers.models.customer import ImmutableCode
from customers.validators import validate_code


class Offer(ImmutableCode):
    """A plan or an add-on; what it gives stands in its versions."""

    class Type(models.TextChoices):
        PLAN = "plan", "plan"
        ADD_ON = "addon", "add-on"

    class Scope(models.TextChoices):
        SITE = "site", "whole site"
        USER = "user", "per user"

    type = models.CharField(max_length=8, choices=Type, editable=False)
    code = models.CharField(max_length=64, unique=True, validators=[validate_code])
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    for_sale = models.BooleanField(default=True, help_text="The common set is a plan that is not for sale.")
    scope = models.CharField(max_length=8, choices=Scope, default=Scope.USER, help_text="A plan is per user.")
    tier = models.ForeignKey(Tier, models.PROTECT, null=True, blank=True, related_name="offers")
    solutions = models.ManyToManyField(Solution, blank=True, related_name="offers")
    module = models.ForeignKey(
        Module,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="offers",
        help_text="The licence name of its own; one that is not for sale needs none.",
    )
    position = models.PositiveIntegerField(default=0)

    objects: ClassVar[Any] = OfferQuerySet.as_manager()

    class Meta:
        ordering = ("position", "code")
        constraints = (
            models.UniqueConstraint(
                fields=["module"],
                name="offer_module_once",
                violation_error_message="Another plan or add-on has this module.",
            ),
            models.CheckConstraint(
                condition=models.Q(for_sale=False) | models.Q(module__isnull=False),
                name="offer_for_sale_has_a_module",
                violation_error_message="What is for sale needs a module of its own.",
            ),
            models.CheckConstraint(
                condition=models.Q(type="addon") | models.Q(scope="user"),
                name="plan_is_per_user",
                violation_error_message="A plan is per user.",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        if self.module is None:
            return
        wanted = Module.Type.SITE if self.scope == self.Scope.SITE else Module.Type.USER
        if self.module.type != wanted:
            raise ValidationError({"module": f"{self.module.name} is not a {wanted.label} module."})
        if self.module.hidden and wanted == Module.Type.USER:
            raise ValidationError({"module": f"{self.module.name} is hidden, so nobody could be given it."})


class Plan(Offer):
    objects: ClassVar[Any] = OfferManager("plan")

    class Meta:
        proxy = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not args:  # rows read from the database come as args
            kwargs.setdefault("type", Offer.Type.PLAN)
        super().__init__(*args, **kwargs)


class AddOn(Offer):
    objects: ClassVar[Any] = OfferManager("addon")

    class Meta:
        proxy = True
        verbose_name = "add-on"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not args:  # rows read from the database come as args
            kwargs.setdefault("type", Offer.Type.ADD_ON)
        super().__init__(*args, **kwargs)
