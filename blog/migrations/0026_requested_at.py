import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models


def copy_times(apps, schema_editor):
    """Set the time of tasks that were requested before the column existed."""
    apps.get_model("blog", "AccountDeletion").objects.update(requested_at=models.F("created_at"))


class Migration(migrations.Migration):

    dependencies = [
        ('blog', '0025_hash_recovery_codes'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='accountdeletion',
            options={'permissions': [('operate_accountdeletion', 'Can rescue account deletions')], 'verbose_name': 'account deletion', 'verbose_name_plural': 'account deletions'},
        ),
        migrations.AddField(
            model_name='accountdeletion',
            name='requested_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False, verbose_name='last requested at'),
        ),
        migrations.AddIndex(
            model_name='accountdeletion',
            index=models.Index(fields=['-requested_at'], name='blog_accountdeletion_requested'),
        ),
        migrations.RunPython(copy_times, migrations.RunPython.noop),
    ]
