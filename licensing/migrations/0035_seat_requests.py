"""Requests for more seats."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("catalog", "0005_comments"),
        ("customers", "0007_erasure_checked"),
        ("licensing", "0034_user_lists"),
        ("licensing", "0036_usage"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="SeatRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("module_name", models.CharField(max_length=239)),
                ("module_description", models.CharField(help_text="What people called it then.", max_length=239)),
                ("quantity", models.PositiveIntegerField(help_text="How many more.")),
                ("note", models.TextField(blank=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "open"),
                            ("granted", "granted"),
                            ("declined", "declined"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="open",
                        max_length=16,
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("asked_by", models.CharField(help_text="How the actor was called then.", max_length=254)),
                ("answered_at", models.DateTimeField(null=True)),
                ("answered_by", models.CharField(blank=True, max_length=254)),
                ("answer", models.TextField(blank=True, help_text="Why, or what was said with it.")),
                (
                    "answering_account",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "answering_client",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.apiclient",
                    ),
                ),
                (
                    "asking_account",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "asking_client",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.apiclient",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="seat_requests",
                        to="customers.customer",
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        help_text="What brought the seats.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="licensing.subscriptionitem",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.owner"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        help_text="For whom, if for somebody.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.customeruser",
                    ),
                ),
            ],
            options={
                "ordering": ("-asked_at", "-pk"),
                "indexes": [
                    models.Index(fields=["-asked_at", "-id"], name="seat_request_by_time"),
                    models.Index(fields=["state", "-asked_at"], name="seat_request_by_state"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")),
                        fields=("customer", "owner", "module_name"),
                        name="one_open_seat_request_per_module",
                    ),
                    models.CheckConstraint(condition=models.Q(("quantity__gte", 1)), name="seat_request_asks_for_some"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("answered_at", None), ("state", "open")),
                            models.Q(models.Q(("state", "open"), _negated=True), ("answered_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="seat_request_answered_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "declined"), _negated=True),
                            models.Q(("answer", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="declined_seat_request_says_why",
                    ),
                ],
            },
        ),
    ]
