from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('blog', '0014_account_mail_about'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='user',
            index=models.Index(condition=models.Q(('is_active', False)), fields=['id'], name='blog_user_closed'),
        ),
    ]
