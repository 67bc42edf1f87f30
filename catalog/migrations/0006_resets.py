"""When a counted limit starts again from 0; for good once published, as everything about how it is counted."""

from django.db import migrations, models

from customers.protection import lift, refuse

NAMED = "EXISTS (SELECT 1 FROM catalog_versionfeature named WHERE named.feature_id = OLD.id)"


def stays(columns, message):
    differs = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)
    return refuse("published_feature_is_for_good", "catalog_feature", "UPDATE", f"({differs}) AND {NAMED}", message)


BEFORE = ("code", "kind", "rule", "unit", "counts")
MESSAGE = "a published version names this feature: code, kind, rule, unit and counting stay"


class Migration(migrations.Migration):
    dependencies = [("catalog", "0005_comments")]

    operations = [
        lift(stays(BEFORE, MESSAGE)),
        migrations.AddField(
            "feature",
            "resets",
            models.CharField(
                blank=True,
                choices=[
                    ("calendar_month", "each calendar month"),
                    ("contract_month", "each month of the contract"),
                ],
                db_default="",
                default="",
                help_text="When counting starts again from 0; never, if empty.",
                max_length=16,
            ),
        ),
        stays((*BEFORE, "resets"), MESSAGE),
    ]
