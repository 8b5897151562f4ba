from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('blog', '0015_closed_accounts'),
    ]

    operations = [
        # RenameField does not change the condition of an index.
        migrations.RemoveIndex(
            model_name='notification',
            name='blog_notification_unread',
        ),
        migrations.RenameField(
            model_name='notification',
            old_name='is_news',
            new_name='is_listed',
        ),
        migrations.AddIndex(
            model_name='notification',
            index=models.Index(condition=models.Q(('is_listed', True), ('read_at', None)), fields=['user'], name='blog_notification_unread'),
        ),
    ]
