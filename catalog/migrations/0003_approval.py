"""An approval: when, and of which content. What is published was approved when it was published, and stays so.

One column that may be empty is added, so SQLite rebuilds no table and every trigger stays. The versions published so
far are a few thousand rows at most, filled in by one statement; programs of the release before may go on meanwhile.
"""

from django.db import migrations, models

from customers.protection import refuse

FROZEN = "('published', 'retired')"
FILL = f"UPDATE catalog_version SET approved_at = published_at WHERE state IN {FROZEN}"  # noqa: S608 - names from here

IS_PUBLISHED = f"OLD.state NOT IN {FROZEN} AND NEW.state IN {FROZEN}"
STILL_APPROVED = (
    "OLD.approved_at IS NOT NULL AND OLD.approved_at IS NOT DISTINCT FROM NEW.approved_at "
    "AND OLD.approved_by_id IS NOT DISTINCT FROM NEW.approved_by_id"
)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_protection")]

    operations = [
        migrations.AddField(
            model_name="version",
            name="approved_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(  # its words only: no statement
            model_name="version",
            name="digest",
            field=models.CharField(
                blank=True,
                editable=False,
                help_text="SHA-256, hex, of the content approved or published.",
                max_length=64,
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        refuse(
            "version_approval_is_for_good",
            "catalog_version",
            "UPDATE",
            f"OLD.state IN {FROZEN} AND OLD.approved_at IS DISTINCT FROM NEW.approved_at",
            "a published version stays as it is",
        ),
        refuse(
            "version_approval_names_content",
            "catalog_version",
            "UPDATE",
            f"OLD.state NOT IN {FROZEN} AND NEW.approved_at IS NOT NULL AND (NEW.state = 'draft' OR NEW.digest = '')",
            "an approval is of a content, in review",
        ),
        refuse(
            "version_published_as_approved",
            "catalog_version",
            "UPDATE",
            f"{IS_PUBLISHED} AND {STILL_APPROVED} AND OLD.digest IS DISTINCT FROM NEW.digest",
            "what was approved is published, and nothing else",
        ),
    ]
