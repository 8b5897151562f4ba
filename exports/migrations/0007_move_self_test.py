"""Hand the table of self-tests over to the app `staff`, whose first migration takes it up."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("exports", "0006_durable_tasks")]

    operations = [
        migrations.RenameIndex(
            model_name="selftest", new_name="staff_selftest_age", old_name="exports_selftest_age"
        ),
        migrations.AlterModelTable(name="selftest", table="staff_selftest"),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.DeleteModel(name="SelfTest")]
        ),
    ]
