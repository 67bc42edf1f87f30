"""When a version was approved. What is published was approved when it was published, and stays so."""

from django.db import migrations, models

from customers.protection import refuse

FROZEN = "('published', 'retired')"


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_protection")]

    operations = [
        migrations.AddField(
            model_name="version",
            name="approved_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="version",
            name="digest",
            field=models.CharField(
                blank=True,
                editable=False,
                help_text="SHA-256, hex, of the content approved or published.",
                max_length=64,
            ),
        ),
        migrations.RunSQL(
            f"UPDATE catalog_version SET approved_at = published_at WHERE state IN {FROZEN}",  # noqa: S608
            migrations.RunSQL.noop,
        ),
        refuse(
            "version_approval_is_for_good",
            "catalog_version",
            "UPDATE",
            f"OLD.state IN {FROZEN} AND OLD.approved_at IS DISTINCT FROM NEW.approved_at",
            "a published version stays as it is",
        ),
    ]
