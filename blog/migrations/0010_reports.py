import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('blog', '0009_messages'),
    ]

    operations = [
        migrations.CreateModel(
            name='Report',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('excerpt', models.CharField(blank=True, max_length=280, verbose_name='text of the post')),
                ('reason', models.CharField(choices=[('SPAM', 'Spam or advertising'), ('ABUSE', 'Insults or harassment'), ('ILLEGAL', 'Against the law'), ('OTHER', 'Something else')], max_length=16, verbose_name='reason')),
                ('comment', models.CharField(blank=True, max_length=500, verbose_name='comment')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='reported at')),
                ('handled_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='handled at')),
                ('outcome', models.CharField(blank=True, choices=[('DISMISSED', 'Nothing wrong'), ('HIDDEN', 'Post hidden'), ('DEACTIVATED', 'Account deactivated')], editable=False, max_length=16, verbose_name='outcome')),
                ('handled_by', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='handled by')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='reports_about', to=settings.AUTH_USER_MODEL, verbose_name='reported person')),
                ('post', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='reports', to='blog.post', verbose_name='reported post')),
                ('reporter', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='reports', to=settings.AUTH_USER_MODEL, verbose_name='reporter')),
            ],
            options={
                'verbose_name': 'report',
                'verbose_name_plural': 'reports',
                'indexes': [models.Index(condition=models.Q(('handled_at', None)), fields=['created_at', 'id'], name='blog_report_open')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('handled_at', None)), fields=('reporter', 'post'), name='blog_report_post_once'), models.UniqueConstraint(condition=models.Q(('excerpt', ''), ('handled_at', None)), fields=('reporter', 'person'), name='blog_report_person_once')],
            },
        ),
    ]
