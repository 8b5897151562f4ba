from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("exports", "0005_roles"),
    ]

    operations = [
        migrations.RenameModel("SweeperSign", "SweeperHeartbeat"),
        migrations.RenameField("SweeperHeartbeat", "seen_at", "last_heartbeat_at"),
    ]
