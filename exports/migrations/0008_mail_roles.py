"""Let both groups of staff see how e-mails fare; no permission shows their texts."""

from importlib import import_module

from django.db import migrations

GROUPS = ("Support", "Operators")
PERMISSIONS = [
    ("exports", "exportmail", "view_exportmail", "Can view e-mail"),
    ("blog", "accountmail", "view_accountmail", "Can view account e-mail"),
]


def add_permissions(apps, schema_editor):
    permission = import_module("exports.migrations.0005_roles").permission
    for name in GROUPS:
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(*(permission(apps, *row) for row in PERMISSIONS))


def remove_permissions(apps, schema_editor):
    codenames = [row[2] for row in PERMISSIONS]
    for group in apps.get_model("auth", "Group").objects.filter(name__in=GROUPS):
        group.permissions.remove(*group.permissions.filter(codename__in=codenames))


class Migration(migrations.Migration):
    dependencies = [
        ("exports", "0007_move_self_test"),
        ("blog", "0017_mail_outbox"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(add_permissions, remove_permissions)]
