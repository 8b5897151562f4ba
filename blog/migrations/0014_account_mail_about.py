import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('blog', '0013_api_tokens'),
    ]

    operations = [
        migrations.AddField(
            model_name='accountmail',
            name='about',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='blog.message'),
        ),
    ]
