import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


def copy_times(apps, schema_editor):
    """Set the time of tasks that were requested before the column existed."""
    apps.get_model("exports", "ExportTask").objects.update(requested_at=models.F("created_at"))


class Migration(migrations.Migration):

    dependencies = [
        ('exports', '0009_early_bounces_and_damaged_archives'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='exporttask',
            name='requested_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False, verbose_name='last requested at'),
        ),
        migrations.AddIndex(
            model_name='exporttask',
            index=models.Index(fields=['-requested_at'], name='exports_exporttask_requested'),
        ),
        migrations.RunPython(copy_times, migrations.RunPython.noop),
    ]
