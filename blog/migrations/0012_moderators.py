from django.conf import settings
from django.db import migrations

GROUP = "Moderators"
RIGHTS = {
    "report": {"view_report": "Can view report", "change_report": "Can change report"},
    "post": {"view_post": "Can view post"},
    "user": {"view_user": "Can view person"},
}


def make(apps, schema_editor):
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=GROUP)
    for model, rights in RIGHTS.items():
        # Both are otherwise made only after all migrations.
        about, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label="blog", model=model)
        for codename, name in rights.items():
            right, _ = apps.get_model("auth", "Permission").objects.get_or_create(
                content_type=about, codename=codename, defaults={"name": name}
            )
            group.permissions.add(right)


def unmake(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name=GROUP).delete()


class Migration(migrations.Migration):

    dependencies = [
        ("blog", "0011_notification_mails"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunPython(make, unmake)]
