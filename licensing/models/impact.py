"""What a draft would do to those who have the plan or add-on: worked out in the background, kept as a report."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from licensing.cohort import Cohort


class ImpactReport(models.Model):
    """The impact of one content on a cohort of its plan's or add-on's customers, were they all moved to it at `at`.

    `cohort_data` is empty for everybody who has it; `leaves_out_target` says whether those who are on the version
    already are looked at too.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        DONE = "done", "done"

    version = models.ForeignKey("catalog.Version", models.CASCADE, related_name="impact_reports")
    digest = models.CharField(max_length=64, help_text="Of the content that was looked at.")
    content = models.JSONField()
    cohort_data = models.JSONField("cohort", default=dict, blank=True)
    leaves_out_target = models.BooleanField(default=False)
    at = models.DateTimeField(help_text="As of when customers were looked at.")
    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    total = models.PositiveIntegerField(default=0, help_text="Customers to look at.")
    done = models.PositiveIntegerField(default=0, help_text="Customers looked at.")
    last_customer = models.BigIntegerField(default=0, help_text="Where an interrupted run goes on.")
    users = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    worse = models.PositiveBigIntegerField(default=0)
    others = models.PositiveBigIntegerField(default=0, help_text="Users changed who don't hold it themselves.")
    stopped = models.PositiveIntegerField(default=0, help_text="Customers with something in the way.")

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(condition=models.Q(done__lte=models.F("total")), name="impact_done_within_total"),
        )

    def __str__(self) -> str:
        return f"impact of {self.version}"

    @property
    def cohort(self) -> Cohort:
        return Cohort.from_json(self.cohort_data)

    @property
    def is_done(self) -> bool:
        return self.state == self.State.DONE


class ImpactVersion(models.Model):
    """How many customers, and how many of their users, are on one version now."""

    report = models.ForeignKey(ImpactReport, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    customers = models.PositiveIntegerField(default=0)
    users = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ("report", "-number")
        constraints: ClassVar[Any] = (
            models.UniqueConstraint(fields=["report", "number"], name="version_once_per_impact"),
        )

    def __str__(self) -> str:
        return f"v{self.number}"


class ImpactFeature(models.Model):
    """How many users would gain a feature, lose it, get more of it and less."""

    report = models.ForeignKey(ImpactReport, models.CASCADE, related_name="features")
    code = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    gained = models.PositiveBigIntegerField(default=0)
    raised = models.PositiveBigIntegerField(default=0)
    lowered = models.PositiveBigIntegerField(default=0)
    lost = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ("code",)
        constraints: ClassVar[Any] = (
            models.UniqueConstraint(fields=["report", "code"], name="feature_once_per_impact"),
        )

    def __str__(self) -> str:
        return self.code


class ImpactCustomer(models.Model):
    """One customer of a report: its users by what would happen to them, `gained` those who gain anything, and so on."""

    report = models.ForeignKey(ImpactReport, models.CASCADE, related_name="customers")
    customer = models.ForeignKey("customers.Customer", models.CASCADE, related_name="+")
    versions = models.JSONField(default=list, help_text="The versions that the customer is on now.")
    users = models.PositiveBigIntegerField()
    changed = models.PositiveBigIntegerField()
    worse = models.PositiveBigIntegerField()
    gained = models.PositiveBigIntegerField(default=0)
    raised = models.PositiveBigIntegerField(default=0)
    lowered = models.PositiveBigIntegerField(default=0)
    lost = models.PositiveBigIntegerField(default=0)
    problems_count = models.PositiveIntegerField("problems", default=0)

    class Meta:
        ordering = ("report", "customer")
        constraints: ClassVar[Any] = (
            models.UniqueConstraint(fields=["report", "customer"], name="customer_once_per_impact"),
        )

    def __str__(self) -> str:
        return str(self.customer)


class ImpactProblem(models.Model):
    """One thing that is in the way at one customer, or that somebody there would miss."""

    class Kind(models.TextChoices):
        NEEDS = "needs", "needs what the customer doesn’t have"
        EXCLUDES = "excludes", "excludes what the customer has"
        TOO_MANY = "too_many", "more than allowed"
        DOES_NOT_FIT = "does_not_fit", "fewer seats than in use"
        PREREQUISITE = "prerequisite", "loses what it needs"

    # A move is refused because of these; the others only cost somebody something.
    BLOCKING: ClassVar = (Kind.NEEDS, Kind.EXCLUDES, Kind.TOO_MANY, Kind.DOES_NOT_FIT)

    report = models.ForeignKey(ImpactReport, models.CASCADE, related_name="problems")
    customer = models.ForeignKey("customers.Customer", models.CASCADE, related_name="+")
    kind = models.CharField(max_length=16, choices=Kind)
    subject = models.CharField(max_length=300, help_text="The plan, add-on or `owner.module` that it is about.")
    other = models.CharField(max_length=300, blank=True, help_text="What it needs or excludes.")
    in_use = models.PositiveIntegerField(null=True, help_text="Seats held, or the quantity that is too large.")
    new_total = models.PositiveIntegerField(null=True, help_text="Seats in the new package, or the most allowed.")
    remove = models.PositiveIntegerField(null=True, help_text="How many seats would have to be given back.")
    users = models.PositiveIntegerField(null=True, help_text="Users who would miss something.")
    message = models.CharField(max_length=700)

    class Meta:
        ordering = ("report", "customer", "pk")
        indexes = (models.Index(fields=["report", "kind"], name="impact_problem_by_kind"),)

    def __str__(self) -> str:
        return self.message

    @property
    def is_blocking(self) -> bool:
        return self.kind in self.BLOCKING
