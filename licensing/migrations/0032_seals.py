"""Owners' keys and plans, and the seals of packages. A module licence's signature may be written once, and only that."""

import django.db.models.deletion
from django.db import migrations, models

from customers.protection import lift, refuse

ROW_FACTS = (
    "customer_id",
    "package_id",
    "module_name",
    "module_description",
    "module_version",
    "tooltip",
    "license_type",
    "license_number",
    "allowed_user_type",
    "extra_flags",
    "extra_info",
    "encrypted_check",
    "sort_order",
    "unrestricted",
    "hidden",
    "prerequisite_module",
    "registered",
    "version_id",
    "version_number",
    "offer_code",
    "is_plan",
    "tier",
    "solutions",
    "grants",
)
KEY_FACTS = ("owner_id", "key_id", "public_key", "valid_from")


def changed(columns):
    pairs = (f"CAST(OLD.{c} AS text) IS DISTINCT FROM CAST(NEW.{c} AS text)" for c in columns)
    return f"({' OR '.join(pairs)})"


WAS = refuse(
    "licensing_modulelicense_no_update",
    "licensing_modulelicense",
    "UPDATE",
    "TRUE",
    "A module licence is never edited or deleted",
)
# Rows that were written before anything was signed get their signature; nothing else, and once.
NOW = refuse(
    "licensing_modulelicense_no_update",
    "licensing_modulelicense",
    "UPDATE",
    f"{changed(ROW_FACTS)} OR OLD.signature <> '' OR NEW.signature = ''",
    "A module licence is never edited or deleted",
)


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_approval"),
        ("licensing", "0031_due"),
    ]

    operations = [
        migrations.CreateModel(
            name="OwnerKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "key_id",
                    models.CharField(
                        editable=False, help_text="Of the public key's SHA-256.", max_length=16, unique=True
                    ),
                ),
                ("public_key", models.CharField(help_text="Base64 of the 32 bytes of an Ed25519 key.", max_length=64)),
                ("valid_from", models.DateTimeField()),
                ("valid_until", models.DateTimeField(blank=True, help_text="Empty: until it is retired.", null=True)),
                ("retired_at", models.DateTimeField(editable=False, null=True)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="keys", to="catalog.owner"
                    ),
                ),
            ],
            options={
                "ordering": ("owner", "-valid_from"),
            },
        ),
        migrations.CreateModel(
            name="OwnerPlan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("module_name", models.CharField(help_text="The plan's module, without the owner.", max_length=239)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="plans", to="catalog.owner"
                    ),
                ),
                ("solutions", models.ManyToManyField(blank=True, related_name="+", to="catalog.solution")),
                (
                    "tier",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.tier",
                    ),
                ),
            ],
            options={
                "verbose_name": "owner's plan",
                "verbose_name_plural": "owners' plans",
                "ordering": ("owner", "module_name"),
            },
        ),
        migrations.CreateModel(
            name="PackageSeal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("owner_description", models.CharField(blank=True, max_length=254)),
                ("license_url", models.CharField(blank=True, max_length=254)),
                ("key_id", models.CharField(max_length=16)),
                ("signature", models.CharField(max_length=254)),
                (
                    "checks",
                    models.JSONField(default=dict, help_text="Short checks per field, which name what was changed."),
                ),
                ("sealed_at", models.DateTimeField()),
                ("document", models.TextField(blank=True)),
                ("document_digest", models.CharField(blank=True, max_length=64)),
                (
                    "issuer_key",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="licensing.ownerkey",
                    ),
                ),
                (
                    "package",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="seal", to="licensing.package"
                    ),
                ),
            ],
            options={
                "ordering": ("package",),
            },
        ),
        migrations.AddConstraint(
            model_name="ownerkey",
            constraint=models.CheckConstraint(
                condition=models.Q(("valid_until", None), ("valid_until__gt", models.F("valid_from")), _connector="OR"),
                name="key_ends_after_it_begins",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownerplan",
            constraint=models.UniqueConstraint(fields=("owner", "module_name"), name="owner_plan_once"),
        ),
        migrations.AddIndex(
            model_name="packageseal",
            index=models.Index(fields=["document_digest"], name="seal_by_document"),
        ),
        lift(WAS),
        NOW,
        refuse("licensing_packageseal_no_update", "licensing_packageseal", "UPDATE", "TRUE", "A seal is never edited"),
        refuse("licensing_packageseal_no_delete", "licensing_packageseal", "DELETE", "TRUE", "A seal is never deleted"),
        refuse(
            "licensing_ownerkey_no_update",
            "licensing_ownerkey",
            "UPDATE",
            f"{changed(KEY_FACTS)} OR OLD.retired_at IS NOT NULL",
            "A key is retired, never edited",
        ),
        refuse(
            "licensing_ownerkey_no_delete", "licensing_ownerkey", "DELETE", "TRUE", "A key is retired, never deleted"
        ),
    ]
