"""A rule may name a tier. The table is protected, so its refusals are lifted while it is altered, and stand again after.

On the way back, rules that name a tier are lost, in published versions too: what they froze still says them.
"""

import django.db.models.deletion
from django.db import migrations, models

from customers.protection import lift, refuse

TABLE = "catalog_versionrule"
FROZEN = "('published', 'retired')"


def of_frozen(row):
    return (
        "EXISTS (SELECT 1 FROM catalog_version frozen "  # noqa: S608 - names from this file
        f"WHERE frozen.id = {row}.version_id AND frozen.state IN {FROZEN})"
    )


def refusals():
    message = "what belongs to a published version stays as it is"
    yield refuse(f"{TABLE}_not_added", TABLE, "INSERT", of_frozen("NEW"), message)
    yield refuse(f"{TABLE}_not_changed", TABLE, "UPDATE", f"{of_frozen('OLD')} OR {of_frozen('NEW')}", message)
    yield refuse(f"{TABLE}_not_removed", TABLE, "DELETE", of_frozen("OLD"), message)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_approval")]

    operations = [
        *map(lift, refusals()),
        migrations.AlterModelOptions(name="versionrule", options={"ordering": ("version", "verb", "offer", "tier")}),
        migrations.AddField(
            model_name="versionrule",
            name="tier",
            field=models.ForeignKey(
                blank=True,
                help_text="Needed: of this tier or a higher one.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.tier",
            ),
        ),
        migrations.AlterField(
            model_name="versionrule",
            name="offer",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.offer",
                verbose_name="plan or add-on",
            ),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, f"DELETE FROM {TABLE} WHERE offer_id IS NULL"),  # noqa: S608
        migrations.AddConstraint(
            model_name="versionrule",
            constraint=models.UniqueConstraint(fields=("version", "tier"), name="rule_once_per_tier"),
        ),
        migrations.AddConstraint(
            model_name="versionrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("offer__isnull", False), ("tier", None)),
                    models.Q(("offer", None), ("tier__isnull", False)),
                    _connector="OR",
                ),
                name="rule_names_an_offer_or_a_tier",
                violation_error_message="A rule names a plan or add-on, or a tier; not both, not neither.",
            ),
        ),
        *refusals(),
    ]
