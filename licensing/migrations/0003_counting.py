"""How many users have which holding now, without reading them all."""

from typing import ClassVar

from django.db import migrations, models

from customers.indexes import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False  # an index is built while others write
    dependencies: ClassVar = [("customers", "0004_search"), ("licensing", "0002_protection")]
    operations: ClassVar = [
        AddIndexOnline(
            "userperiod",
            models.Index(
                condition=models.Q(ends_at=None),
                fields=["customer", "holding", "starts_at"],
                name="user_period_open",
            ),
        ),
        AddIndexOnline(
            "userperiod",
            models.Index(
                condition=models.Q(ends_at__isnull=False), fields=["customer", "ends_at"], name="user_period_closed"
            ),
        ),
    ]
