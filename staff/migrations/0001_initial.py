"""Take up the table of self-tests, which `exports` made and renamed."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("exports", "0007_move_self_test"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="SelfTest",
                    fields=[
                        ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                        ("mail_to", models.EmailField(max_length=254, verbose_name="mail to")),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="begun at")),
                        ("started_at", models.DateTimeField(null=True, verbose_name="a worker began at")),
                        ("steps_done", models.PositiveIntegerField(default=0, verbose_name="steps done")),
                        ("mailed_at", models.DateTimeField(null=True, verbose_name="mailed at")),
                        ("mail_error", models.TextField(blank=True, verbose_name="error of the mail")),
                        ("verdict", models.TextField(blank=True, verbose_name="verdict")),
                        ("passed", models.BooleanField(null=True, verbose_name="passed")),
                        ("actor", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL, verbose_name="by")),
                    ],
                    options={
                        "verbose_name": "self-test",
                        "verbose_name_plural": "self-tests",
                        "ordering": ("-created_at",),
                        "indexes": [models.Index(fields=["created_at"], name="staff_selftest_age")],
                    },
                )
            ]
        )
    ]
