"""What is published stays as it is: the database refuses edits by any path, raw SQL included."""

from django.db import migrations

from customers.protection import refuse

FROZEN = "('published', 'retired')"

# Every column of a version except those that retiring it sets.
FOR_GOOD = (
    "id",
    "offer_id",
    "number",
    "base_id",
    "changelog",
    "max_quantity",
    "content",
    "digest",
    "effective_from",
    "created_at",
    "drafted_by_id",
    "submitted_by_id",
    "approved_by_id",
    "published_by_id",
    "published_at",
)
RETIRING = ("state", "retired_by_id", "retired_at")

FEATURE_FOR_GOOD = ("code", "kind", "rule", "unit", "counts")
NAMED = "EXISTS (SELECT 1 FROM catalog_versionfeature named WHERE named.feature_id = OLD.id)"

# Tables whose rows belong to a version.
PARTS = (
    "catalog_grant",
    "catalog_versioninclude",
    "catalog_versionmodule",
    "catalog_versionrule",
    "catalog_versionfeature",
    "catalog_version_editors",
)


def differs(columns):
    return "(" + " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns) + ")"


def of_frozen(row):
    return (
        "EXISTS (SELECT 1 FROM catalog_version frozen "  # noqa: S608 - names from this file
        f"WHERE frozen.id = {row}.version_id AND frozen.state IN {FROZEN})"
    )


def protected_versions():
    message = "a published version stays as it is"
    yield refuse(
        "version_content_is_for_good",
        "catalog_version",
        "UPDATE",
        f"OLD.state IN {FROZEN} AND ({differs(FOR_GOOD)} OR NEW.state NOT IN {FROZEN})",
        message,
    )
    yield refuse(
        "version_retires_once",
        "catalog_version",
        "UPDATE",
        f"(OLD.state = 'retired' OR (OLD.state = 'published' AND NEW.state = 'published')) AND {differs(RETIRING)}",
        "a published version can only be retired, once",
    )
    yield refuse("version_is_kept", "catalog_version", "DELETE", f"OLD.state IN {FROZEN}", message)


def protected_parts():
    message = "what belongs to a published version stays as it is"
    for table in PARTS:
        yield refuse(f"{table}_not_added", table, "INSERT", of_frozen("NEW"), message)
        yield refuse(f"{table}_not_changed", table, "UPDATE", f"{of_frozen('OLD')} OR {of_frozen('NEW')}", message)
        yield refuse(f"{table}_not_removed", table, "DELETE", of_frozen("OLD"), message)


def protected_features():
    yield refuse(
        "published_feature_is_for_good",
        "catalog_feature",
        "UPDATE",
        f"{differs(FEATURE_FOR_GOOD)} AND {NAMED}",
        "a published version names this feature: code, kind, rule, unit and counting stay",
    )


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]

    operations = [*protected_versions(), *protected_parts(), *protected_features()]
