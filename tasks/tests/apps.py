from django.apps import AppConfig


class SampleConfig(AppConfig):
    """Models that only the tests have; without migrations."""

    name = "tasks.tests"
    label = "sample"
    has_personal_data = False
