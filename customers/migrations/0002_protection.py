"""The audit trail is append-only: the database refuses edits and deletes by any path, raw SQL included."""

from django.db import migrations

from customers.protection import refuse

MESSAGE = "the audit trail is append-only"


class Migration(migrations.Migration):
    dependencies = [("customers", "0001_initial")]

    operations = [
        refuse("audit_event_not_changed", "customers_auditevent", "UPDATE", "1 = 1", MESSAGE),
        refuse("audit_event_not_removed", "customers_auditevent", "DELETE", "1 = 1", MESSAGE),
    ]
