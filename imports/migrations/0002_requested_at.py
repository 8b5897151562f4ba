import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Coalesce


def copy_times(apps, schema_editor):
    """Set the time of tasks that were requested before the column existed."""
    apps.get_model("imports", "ImportTask").objects.update(requested_at=Coalesce("imported_at", "created_at"))


class Migration(migrations.Migration):

    dependencies = [
        ('imports', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='importtask',
            options={'permissions': [('cancel_importtask', 'Can cancel imports'), ('operate_importtask', 'Can rescue imports')], 'verbose_name': 'import', 'verbose_name_plural': 'imports'},
        ),
        migrations.AddField(
            model_name='importtask',
            name='requested_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False, verbose_name='last requested at'),
        ),
        migrations.AddIndex(
            model_name='importtask',
            index=models.Index(fields=['-requested_at'], name='imports_importtask_requested'),
        ),
        migrations.RunPython(copy_times, migrations.RunPython.noop),
    ]
