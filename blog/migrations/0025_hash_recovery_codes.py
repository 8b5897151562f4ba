"""Replace the seeds of recovery codes by hashes of the codes that are left."""

from django.db import migrations, transaction


def hash_recovery_codes(apps, schema_editor):
    from blog.accounts.recovery_codes import hash_stored_codes

    authenticators = apps.get_model("mfa", "Authenticator").objects
    with_codes = authenticators.filter(type="recovery_codes").order_by("pk")
    for pk in list(with_codes.values_list("pk", flat=True)):
        with transaction.atomic():
            if authenticator := authenticators.select_for_update().filter(pk=pk).first():
                hash_stored_codes(authenticator)


class Migration(migrations.Migration):
    atomic = False  # hashing takes 0.2 s a user, and sign-in must not wait for all of them

    dependencies = [
        ("blog", "0024_account_mail_notification_name"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]

    operations = [migrations.RunPython(hash_recovery_codes, migrations.RunPython.noop)]
