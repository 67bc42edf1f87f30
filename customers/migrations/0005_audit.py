"""Searching the audit trail, and asking it for one kind of change, without reading all of it."""

from typing import ClassVar

from django.db import migrations, models

from customers.indexes import AddIndexOnline, AddSubstringIndex


class Migration(migrations.Migration):
    atomic = False  # an index is built while others write
    dependencies: ClassVar = [("customers", "0004_search")]
    operations: ClassVar = [
        AddIndexOnline("auditevent", models.Index(fields=["action", "-at"], name="audit_by_action")),
        AddSubstringIndex("audit_by_words", "customers_auditevent", ("actor", "action", "object_code", "reason")),
    ]
