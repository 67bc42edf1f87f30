"""What is scheduled: packages that become active by the clock, seats that leave, subscriptions that end; notices."""

import django.db.models.deletion
from django.db import migrations, models

import licensing.notices
from customers.protection import lift, refuse

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
_CHANGED = " OR ".join(f"CAST(OLD.{name} AS text) IS DISTINCT FROM CAST(NEW.{name} AS text)" for name in PACKAGE_FACTS)
# SQLite drops the triggers of a table that is altered.
PROTECTION = (
    refuse(
        "licensing_package_no_update",
        "licensing_package",
        "UPDATE",
        f"({_CHANGED}) OR OLD.state IN ('superseded', 'withdrawn')",
        "A package is never edited",
    ),
    refuse("licensing_package_no_delete", "licensing_package", "DELETE", "TRUE", "A package is never deleted"),
)


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_approval"),
        ("customers", "0004_search"),
        ("licensing", "0005_moving"),
    ]

    operations = [
        *(lift(refusal) for refusal in PROTECTION),
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=licensing.notices.kind_choices, max_length=16)),
                ("about", models.CharField(help_text="The subscription or package that ends.", max_length=64)),
                ("happens_at", models.DateTimeField(help_text="The end.")),
                ("days", models.PositiveSmallIntegerField(help_text="How many days before.")),
                ("written_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("customer", "-written_at"),
            },
        ),
        migrations.CreateModel(
            name="PlannedRelease",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("module_name", models.CharField(max_length=239)),
                ("due_at", models.DateTimeField()),
                ("planned_at", models.DateTimeField()),
                ("planned_by", models.CharField(help_text="How the actor was called then.", max_length=254)),
            ],
            options={
                "ordering": ("customer", "due_at", "module_name", "user"),
            },
        ),
        migrations.RemoveConstraint(
            model_name="package",
            name="package_state_has_its_dates",
        ),
        migrations.RunSQL(
            migrations.RunSQL.noop,
            [  # on the way back there is no such thing as a package that waits for its day
                "UPDATE licensing_package SET ended_at = NULL WHERE state = 'active'",
                "UPDATE licensing_package SET state = 'withdrawn', activated_at = NULL, ended_at = NULL "
                "WHERE state = 'scheduled'",
            ],
        ),
        migrations.AddField(
            model_name="customerrevision",
            name="due_at",
            field=models.DateTimeField(help_text="When the clock changes something next.", null=True),
        ),
        migrations.AddField(
            model_name="customerrevision",
            name="has_plans",
            field=models.BooleanField(default=False, help_text="Whether anything is scheduled for later."),
        ),
        migrations.AddField(
            model_name="seat",
            name="leaves_at",
            field=models.DateTimeField(
                help_text="When a scheduled package takes it; the future is derived.", null=True
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="cancelled_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="subscription",
            name="ends_at",
            field=models.DateTimeField(
                blank=True, editable=False, help_text="The end of the term in which it was cancelled.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="package",
            name="activated_at",
            field=models.DateTimeField(help_text="When it comes into force; a scheduled one's lies ahead.", null=True),
        ),
        migrations.AlterField(
            model_name="package",
            name="ended_at",
            field=models.DateTimeField(help_text="When another package takes its place.", null=True),
        ),
        migrations.AlterField(
            model_name="package",
            name="state",
            field=models.CharField(
                choices=[
                    ("pending", "pending"),
                    ("scheduled", "scheduled"),
                    ("active", "active"),
                    ("superseded", "superseded"),
                    ("withdrawn", "withdrawn"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="subscription",
            name="ended_at",
            field=models.DateTimeField(
                blank=True, editable=False, help_text="Written by the first commit after its end.", null=True
            ),
        ),
        migrations.AddConstraint(
            model_name="package",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("activated_at__isnull", False), ("state__in", ["active", "scheduled"])),
                    models.Q(("activated_at__isnull", False), ("ended_at__isnull", False), ("state", "superseded")),
                    models.Q(("activated_at", None), ("ended_at", None), ("state__in", ["pending", "withdrawn"])),
                    _connector="OR",
                ),
                name="package_state_has_its_dates",
            ),
        ),
        migrations.AddConstraint(
            model_name="package",
            constraint=models.UniqueConstraint(
                fields=("customer", "owner", "activated_at"), name="one_package_begins_at_a_time"
            ),
        ),
        migrations.AddConstraint(
            model_name="package",
            constraint=models.UniqueConstraint(
                fields=("customer", "owner", "ended_at"), name="one_package_ends_at_a_time"
            ),
        ),
        migrations.AddConstraint(
            model_name="package",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None), ("state__in", ["active", "scheduled"])),
                fields=("customer", "owner"),
                name="one_package_without_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="package",
            constraint=models.CheckConstraint(
                condition=models.Q(("ended_at", None), ("ended_at__gt", models.F("activated_at")), _connector="OR"),
                name="package_ends_after_it_begins",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cancelled_at", None), ("ends_at", None)),
                    models.Q(("cancelled_at__isnull", False), ("ends_at__gt", models.F("cancelled_at"))),
                    _connector="OR",
                ),
                name="cancelled_subscription_ends",
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="customer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="notices", to="customers.customer"
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="message",
            field=models.ForeignKey(
                help_text="None where a later notice took its place, or nobody is there to be told.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="customers.outboxmessage",
            ),
        ),
        migrations.AddField(
            model_name="plannedrelease",
            name="customer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="planned_releases", to="customers.customer"
            ),
        ),
        migrations.AddField(
            model_name="plannedrelease",
            name="owner",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.owner"),
        ),
        migrations.AddField(
            model_name="plannedrelease",
            name="subscription",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="planned_releases",
                to="licensing.subscription",
            ),
        ),
        migrations.AddField(
            model_name="plannedrelease",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="planned_releases",
                to="customers.customeruser",
            ),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.UniqueConstraint(
                fields=("customer", "kind", "about", "happens_at", "days"), name="notice_written_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="plannedrelease",
            constraint=models.UniqueConstraint(
                fields=("user", "owner", "module_name", "due_at"), name="release_planned_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="plannedrelease",
            constraint=models.CheckConstraint(
                condition=models.Q(("due_at__gt", models.F("planned_at"))), name="release_is_planned_ahead"
            ),
        ),
        *PROTECTION,
    ]
