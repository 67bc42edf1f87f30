"""Finding what is due without reading everything; what the clock was to do before, it goes on to do."""

from typing import ClassVar

from django.db import migrations, models

from customers.indexes import AddIndexOnline

DUE = """
    UPDATE licensing_customerrevision SET due_at = (
        SELECT MIN(found.ends_at) FROM (
            SELECT customer_id, ends_at FROM licensing_holdingperiod WHERE ends_at IS NOT NULL
            UNION ALL
            SELECT customer_id, ends_at FROM licensing_userperiod WHERE ends_at IS NOT NULL
        ) found
        WHERE found.customer_id = licensing_customerrevision.customer_id
        AND found.ends_at > licensing_customerrevision.stamp
    )
"""


class Migration(migrations.Migration):
    atomic = False  # an index is built while others write
    dependencies: ClassVar = [("licensing", "0030_schedule")]
    operations: ClassVar = [
        AddIndexOnline(
            "seat",
            models.Index(
                condition=models.Q(leaves_at__isnull=False), fields=["customer", "leaves_at"], name="seats_leaving"
            ),
        ),
        AddIndexOnline(
            "customerrevision",
            models.Index(condition=models.Q(due_at__isnull=False), fields=["due_at"], name="revision_due"),
        ),
        migrations.RunSQL(DUE, migrations.RunSQL.noop),
    ]
