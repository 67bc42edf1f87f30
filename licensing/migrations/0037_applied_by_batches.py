"""Whether a row of a preview is applied is told by its batches; the column stays until no older program writes it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("licensing", "0036_usage"), ("licensing", "0035_seat_requests")]

    operations = [
        migrations.AlterField(
            model_name="changepreviewrow",
            name="is_applied",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField(model_name="changepreviewrow", name="is_applied")],
        ),
    ]
