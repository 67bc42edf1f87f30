"""Erasing a user: when it happened, whose path an answer was kept for, and the one edit that the trail allows.

The rest of the trail stays as it was: an event about a user may be made to name nobody, once; it goes on telling when
what was done by whom, which other facts it had, and why.
"""

from typing import Any, ClassVar

import django.db.models.deletion
from django.db import migrations, models

from customers.protection import lift, refuse

TABLE, MESSAGE = "customers_auditevent", "the audit trail is append-only"
FACTS = ("id", "at", "account_id", "client_id", "actor", "customer_id", "action", "object_type", "reason")
PERSONAL = ("name", "email", "account")
OTHERS = ("changes->'can_log_in'", "changes->'is_former_employee'", "changes->'seats'")


def same(*what: str) -> str:
    return " AND ".join(f"CAST(OLD.{w} AS text) IS NOT DISTINCT FROM CAST(NEW.{w} AS text)" for w in what)


# Of JSON: what -> and ->> give is read alike by both databases. The statement has parameters (none), hence %%.
OF_A_USER = (
    "OLD.object_code NOT LIKE '%%/erased-%%' AND NEW.object_code LIKE '%%/erased-%%' AND "
    f"(OLD.object_type = 'seats' AND {same('changes')} OR OLD.object_type = 'user' AND "
    + " AND ".join(f"COALESCE(NEW.changes->>'{key}', 'erased') = 'erased'" for key in PERSONAL)
    + f" AND {same(*OTHERS)})"
)
OF_AN_OVERRIDE = (
    "OLD.object_type = 'override' AND OLD.changes->>'user' NOT LIKE 'erased-%%' AND "
    "NEW.changes->>'user' LIKE 'erased-%%' AND " + same("object_code", "changes->'value'")
)
WAS = refuse("audit_event_not_changed", TABLE, "UPDATE", "1 = 1", MESSAGE)
NOW = refuse(
    "audit_event_not_changed",
    TABLE,
    "UPDATE",
    f"NOT COALESCE({same(*FACTS)} AND ({OF_A_USER} OR {OF_AN_OVERRIDE}), FALSE)",
    MESSAGE,
)


def who_read_users(apps: Any, schema_editor: Any) -> None:
    """Lists of users had the scope customers:read; clients that hold it keep what they could read."""
    for client in apps.get_model("customers", "ApiClient").objects.all():
        if "customers:read" in client.scopes and "users:read" not in client.scopes:
            client.scopes = sorted({*client.scopes, "users:read"})
            client.save(update_fields=["scopes"])


def without_users(apps: Any, schema_editor: Any) -> None:
    for client in apps.get_model("customers", "ApiClient").objects.all():
        if "users:read" in client.scopes:
            client.scopes = [scope for scope in client.scopes if scope != "users:read"]
            client.save(update_fields=["scopes"])


class Migration(migrations.Migration):
    dependencies: ClassVar = [("customers", "0005_audit")]
    operations: ClassVar = [
        migrations.AddField(
            "customeruser",
            "erased_at",
            models.DateTimeField(
                blank=True, editable=False, help_text="Since then nothing here says who it was.", null=True
            ),
        ),
        migrations.AddField(
            "idempotencyrecord",
            "customer",
            models.ForeignKey(
                help_text="Whose path it was sent to.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="customers.customer",
            ),
        ),
        lift(WAS),
        NOW,
        migrations.RunPython(who_read_users, without_users, elidable=True),
    ]
