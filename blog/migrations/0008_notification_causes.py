import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('blog', '0007_hidden_posts'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='notification',
            name='blog_notification_recent',
        ),
        migrations.AddField(
            model_name='notification',
            name='actor',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='notification',
            name='is_news',
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name='notification',
            name='post',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='blog.post'),
        ),
        migrations.AddIndex(
            model_name='notification',
            index=models.Index(fields=['user', 'updated_at', 'id'], name='blog_notification_recent'),
        ),
        migrations.AddIndex(
            model_name='notification',
            index=models.Index(condition=models.Q(('is_news', True), ('read_at', None)), fields=['user'], name='blog_notification_unread'),
        ),
    ]
