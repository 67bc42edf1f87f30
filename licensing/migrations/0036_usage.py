"""Counters of what is used of limits, and what is reserved of it."""

import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0006_resets"),
        ("customers", "0005_audit"),
        ("licensing", "0034_user_lists"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageCounter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "period",
                    models.CharField(blank=True, help_text="The first day of what is counted together.", max_length=10),
                ),
                ("used", models.PositiveBigIntegerField(default=0)),
                ("updated_at", models.DateTimeField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="usage", to="customers.customer"
                    ),
                ),
                (
                    "feature",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.feature"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="usage",
                        to="customers.customeruser",
                    ),
                ),
            ],
            options={
                "ordering": ("customer", "feature", "user", "period"),
            },
        ),
        migrations.CreateModel(
            name="UsageReservation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("amount", models.PositiveBigIntegerField()),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "outcome",
                    models.CharField(
                        blank=True, choices=[("confirmed", "Confirmed"), ("released", "Released")], max_length=16
                    ),
                ),
                (
                    "taken",
                    models.PositiveBigIntegerField(
                        help_text="How much of it was used, once it is confirmed.", null=True
                    ),
                ),
                (
                    "counter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reservations",
                        to="licensing.usagecounter",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="customers.customer"
                    ),
                ),
            ],
            options={
                "ordering": ("counter", "created_at"),
            },
        ),
        migrations.AddIndex(
            model_name="usagecounter",
            index=models.Index(fields=["customer", "-updated_at"], name="usage_by_customer"),
        ),
        migrations.AddConstraint(
            model_name="usagecounter",
            constraint=models.UniqueConstraint(
                condition=models.Q(("user", None)),
                fields=("customer", "feature", "period"),
                name="customer_usage_counted_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="usagecounter",
            constraint=models.UniqueConstraint(
                condition=models.Q(("user__isnull", False)),
                fields=("user", "feature", "period"),
                name="user_usage_counted_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="usagecounter",
            constraint=models.CheckConstraint(condition=models.Q(("used__gte", 0)), name="usage_is_not_below_0"),
        ),
        migrations.AddIndex(
            model_name="usagereservation",
            index=models.Index(
                condition=models.Q(("settled_at", None)), fields=["counter", "expires_at"], name="reservations_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="usagereservation",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="reservation_is_of_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="usagereservation",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("created_at"))), name="reservation_ends_after_it_began"
            ),
        ),
        migrations.AddConstraint(
            model_name="usagereservation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("outcome", ""), ("settled_at", None), ("taken", None)),
                    models.Q(("outcome", "released"), ("settled_at__isnull", False), ("taken", None)),
                    models.Q(
                        ("outcome", "confirmed"),
                        ("settled_at__isnull", False),
                        ("taken__isnull", False),
                        ("taken__lte", models.F("amount")),
                    ),
                    _connector="OR",
                ),
                name="reservation_is_settled_once_and_whole",
            ),
        ),
    ]
