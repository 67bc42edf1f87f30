"""How often an API client may call, where that is another rate than everybody's."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("customers", "0010_webhooks")]

    operations = [
        migrations.AddField(
            model_name="apiclient",
            name="calls_per_minute",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="How often it may call; empty: as the setting API_RATE says.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
        migrations.AddConstraint(
            model_name="apiclient",
            constraint=models.CheckConstraint(
                condition=models.Q(("calls_per_minute", None), ("calls_per_minute__gte", 1), _connector="OR"),
                name="api_client_may_call",
            ),
        ),
    ]
