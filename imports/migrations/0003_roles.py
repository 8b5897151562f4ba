"""Give imports and account deletions to the groups of staff, as exports are given."""

from django.db import migrations

SUPPORT = [
    ("imports", "importtask", "view_importtask", "Can view import"),
    ("imports", "importtask", "cancel_importtask", "Can cancel imports"),
    ("blog", "accountdeletion", "view_accountdeletion", "Can view account deletion"),
]
OPERATORS = [
    *SUPPORT,
    ("imports", "importtask", "operate_importtask", "Can rescue imports"),
    ("blog", "accountdeletion", "operate_accountdeletion", "Can rescue account deletions"),
]
ROLES = {"Support": SUPPORT, "Operators": OPERATORS}


def add_permissions(apps, schema_editor):
    for name, permissions in ROLES.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(*(permission(apps, *row) for row in permissions))


def permission(apps, app_label, model, codename, name):
    """Get or create a permission, which Django itself creates only after the last migration."""
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=app_label, model=model
    )
    found, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=codename, defaults={"name": name}
    )
    return found


def remove_permissions(apps, schema_editor):
    codenames = [row[2] for row in OPERATORS]
    for group in apps.get_model("auth", "Group").objects.filter(name__in=ROLES):
        group.permissions.remove(*group.permissions.filter(codename__in=codenames))


class Migration(migrations.Migration):
    dependencies = [
        ("imports", "0002_requested_at"),
        ("blog", "0026_requested_at"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(add_permissions, remove_permissions)]
