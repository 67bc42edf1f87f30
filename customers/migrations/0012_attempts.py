"""Each try of a delivery, with what was answered; of those before only the last one is known."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0011_rates"),
    ]

    operations = [
        migrations.CreateModel(
            name="WebhookAttempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("status", models.PositiveSmallIntegerField(help_text="What the receiver answered.", null=True)),
                (
                    "answer",
                    models.TextField(blank=True, help_text="How its answer began, or why there was none."),
                ),
                ("took_ms", models.PositiveIntegerField()),
                (
                    "delivery",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tries",
                        to="customers.webhookdelivery",
                    ),
                ),
            ],
            options={
                "ordering": ("-pk",),
            },
        ),
    ]
