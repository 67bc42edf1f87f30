"""How often an API client may call; and what it is called is told apart at its customer, not among all."""

import django.core.validators
import django.db.models.functions.text
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
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("name"),
                models.F("customer"),
                name="api_client_name_once_per_customer",
                violation_error_message="A client has this name already.",
            ),
        ),
        migrations.RemoveConstraint(model_name="apiclient", name="api_client_name_once"),
        migrations.AddConstraint(
            model_name="apiclient",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("name"),
                condition=models.Q(("customer", None)),
                name="api_client_name_once",
                violation_error_message="A client has this name already.",
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
