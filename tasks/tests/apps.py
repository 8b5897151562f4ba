from django.apps import AppConfig


class SampleConfig(AppConfig):
    """Models that only the tests have.

    After a change: `DJANGO_SETTINGS_MODULE=dev.test_settings django-admin makemigrations sample`.
    PostgreSQL cannot create their foreign keys without a migration, before the users exist.
    """

    name = "tasks.tests"
    label = "sample"
    has_personal_data = False
