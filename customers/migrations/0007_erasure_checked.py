"""An erased user is nobody: no address, no account, nobody who logs in. And who was unseen for longest is found."""

from typing import ClassVar

from django.db import migrations, models

from customers.indexes import AddCheckOnline, AddOrderIndex


class Migration(migrations.Migration):
    atomic = False  # rows are looked at while others write
    dependencies: ClassVar = [("customers", "0007_erasure")]
    operations: ClassVar = [
        AddCheckOnline(
            "customeruser",
            models.CheckConstraint(
                condition=models.Q(erased_at=None)
                | models.Q(email="", account=None, last_seen_at=None, is_former_employee=True, can_log_in=False),
                name="erased_user_is_nobody",
                violation_error_message="Nothing of an erased user comes back.",
            ),
        ),
        AddOrderIndex("user_by_seen", "customers_customeruser", "customer_id, last_seen_at NULLS FIRST, id"),
    ]
