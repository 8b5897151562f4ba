from django.apps import AppConfig


class ChaosConfig(AppConfig):
    name = "dev.chaos"

    def ready(self) -> None:
        from . import hooks

        hooks.install()
