"""Invitations of those who administer a customer or look at it, and a second step that it may ask of them."""

from typing import ClassVar

import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("customers", "0007_erasure_checked"),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="customer",
            name="requires_second_step",
            field=models.BooleanField(
                db_default=False,
                default=False,
                editable=False,
                help_text="Its people sign in with a second step, or reach nothing.",
            ),
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("email", models.EmailField(max_length=254, verbose_name="e-mail address")),
                ("role", models.CharField(choices=[("admin", "admin"), ("viewer", "viewer")], max_length=16)),
                ("inviter", models.CharField(help_text="How whoever invites was called then.", max_length=254)),
                ("invited_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "token_digest",
                    models.CharField(
                        editable=False, help_text="SHA-256 of the token, hex.", max_length=64, unique=True
                    ),
                ),
                (
                    "sent_at",
                    models.DateTimeField(default=django.utils.timezone.now, help_text="When the newest link was sent."),
                ),
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(blank=True, null=True)),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                (
                    "accepted_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="invitations_accepted",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="invitations", to="customers.customer"
                    ),
                ),
                (
                    "invited_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("customer", "email"),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("customer"),
                        django.db.models.functions.text.Lower("email"),
                        condition=models.Q(("accepted_at", None), ("withdrawn_at", None)),
                        name="invitation_open_once",
                        violation_error_message="This address has been invited already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("accepted_at", None), ("withdrawn_at", None), _connector="OR"),
                        name="invitation_accepted_or_withdrawn",
                    ),
                ],
            },
        ),
    ]
