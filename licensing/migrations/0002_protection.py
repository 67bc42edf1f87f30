"""What was issued, recorded or resolved stays as it was: the database refuses the edit, raw SQL included."""

from django.db import migrations

from customers.protection import refuse

PACKAGE_FACTS = (
    "customer_id",
    "owner_id",
    "number",
    "issued_at",
    "company_name",
    "serial_number",
    "license_version",
    "extra_flags",
    "extra_info",
    "warning_at",
    "expires_at",
    "grace_until",
    "maintenance_until",
    "digest",
)
SEAT_FACTS = ("customer_id", "user_id", "owner_id", "module_name", "assigned_at", "assigned_in_id")
OVERRIDE_FACTS = (
    "customer_id",
    "user_id",
    "feature_id",
    "mode",
    "value",
    "unlimited",
    "reason",
    "starts_at",
    "ends_at",
)


def changed(*columns):
    # Compared as text: PostgreSQL has no equality for json, and jsonb keeps one spelling per value.
    pairs = (f"CAST(OLD.{c} AS text) IS DISTINCT FROM CAST(NEW.{c} AS text)" for c in columns)
    return f"({' OR '.join(pairs)})"


def frozen(table, what):
    message = f"{what} is never edited or deleted"
    return [
        refuse(f"{table}_no_update", table, "UPDATE", "TRUE", message),
        refuse(f"{table}_no_delete", table, "DELETE", "TRUE", message),
    ]


class Migration(migrations.Migration):
    dependencies = [("licensing", "0001_initial")]

    operations = [
        *frozen("licensing_modulelicense", "A module licence"),
        *frozen("licensing_changeset", "A change set"),
        *frozen("licensing_changesetrow", "A change set"),
        *frozen("licensing_revisionentry", "A revision"),
        refuse(
            "licensing_package_no_update",
            "licensing_package",
            "UPDATE",
            f"{changed(*PACKAGE_FACTS)} OR OLD.state IN ('superseded', 'withdrawn')",
            "A package is never edited",
        ),
        refuse("licensing_package_no_delete", "licensing_package", "DELETE", "TRUE", "A package is never deleted"),
        refuse(
            "licensing_seat_no_update",
            "licensing_seat",
            "UPDATE",
            f"{changed(*SEAT_FACTS)} OR OLD.released_at IS NOT NULL",
            "A seat is released, never edited",
        ),
        refuse("licensing_seat_no_delete", "licensing_seat", "DELETE", "TRUE", "A seat is released, never deleted"),
        refuse(
            "licensing_override_no_update",
            "licensing_override",
            "UPDATE",
            f"{changed(*OVERRIDE_FACTS)} OR OLD.ended_at IS NOT NULL",
            "An override is ended, never edited",
        ),
        refuse(
            "licensing_override_no_delete",
            "licensing_override",
            "DELETE",
            "TRUE",
            "An override is ended, never deleted",
        ),
        refuse(
            "licensing_entitlementset_no_update",
            "licensing_entitlementset",
            "UPDATE",
            "TRUE",
            "An entitlement set is never edited",
        ),
    ]
