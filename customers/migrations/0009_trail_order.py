"""The trail in the order in which it is read: a change of ten thousand users has as many events of one instant."""

from typing import ClassVar

from django.db import migrations, models

from customers.indexes import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False  # an index is built while others write
    dependencies: ClassVar = [("customers", "0008_people")]
    operations: ClassVar = [
        AddIndexOnline("auditevent", models.Index(fields=["customer", "-at", "-id"], name="audit_newest_of_customer")),
        AddIndexOnline("auditevent", models.Index(fields=["-at", "-id"], name="audit_newest")),
        migrations.RemoveIndex("auditevent", name="audit_by_customer"),
        migrations.RemoveIndex("auditevent", name="audit_by_time"),
    ]
