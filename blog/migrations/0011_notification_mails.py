from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('blog', '0010_reports'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='has_follow_mail',
            field=models.BooleanField(db_default=False, default=False, verbose_name='mail about new followers'),
        ),
        migrations.AddField(
            model_name='user',
            name='has_mention_mail',
            field=models.BooleanField(db_default=False, default=False, verbose_name='mail about mentions'),
        ),
        migrations.AddField(
            model_name='user',
            name='has_message_mail',
            field=models.BooleanField(db_default=True, default=True, verbose_name='mail about messages'),
        ),
    ]
