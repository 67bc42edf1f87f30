"""Comments on drafts. Nobody edits one, and those of a published version are kept with it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from customers.protection import refuse

OF_FROZEN = (
    "EXISTS (SELECT 1 FROM catalog_version frozen "
    "WHERE frozen.id = OLD.version_id AND frozen.state IN ('published', 'retired'))"
)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0004_tier_rules"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="VersionComment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("actor", models.CharField(help_text="How whoever said it was called then.", max_length=254)),
                ("text", models.TextField(max_length=2000)),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="comments", to="catalog.version"
                    ),
                ),
            ],
            options={
                "ordering": ("at", "pk"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("text", ""), _negated=True), name="comment_says_something"
                    )
                ],
            },
        ),
        refuse("comment_is_not_edited", "catalog_versioncomment", "UPDATE", "1 = 1", "a comment stays as it is"),
        refuse("comment_is_kept", "catalog_versioncomment", "DELETE", OF_FROZEN, "a comment stays with its version"),
    ]
