"""Two groups of staff: Support watches, cancels and sends mails again; Operators may do all that the desk offers."""

from django.db import migrations

SUPPORT = [
    ("exports", "exporttask", "view_exporttask", "Can view export"),
    ("exports", "exporttask", "cancel_exporttask", "Can cancel exports"),
    ("exports", "exporttask", "resend_exporttask", "Can send an export's mail again"),
]
OPERATORS = [
    *SUPPORT,
    (
        "exports",
        "exporttask",
        "operate_exporttask",
        "Can rescue, expire and request exports, and test the chain",
    ),
    ("django_rq", "dashboard", "admin", "Access admin page"),
]
ROLES = {"Support": SUPPORT, "Operators": OPERATORS}


def make_roles(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    for name, permissions in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.add(*(permission(apps, *row) for row in permissions))


def permission(apps, app_label, model, codename, name):
    """A permission, which Django itself would make only after the last migration."""
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=app_label, model=model
    )
    found, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=codename, defaults={"name": name}
    )
    return found


def remove_roles(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name__in=ROLES).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("exports", "0004_desk"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_rq", "0003_alter_dashboard_permission_names"),
    ]

    operations = [migrations.RunPython(make_roles, remove_roles)]
