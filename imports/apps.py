from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ImportsConfig(AppConfig):
    name = "imports"
    verbose_name = _("Imports")

    def ready(self) -> None:
        from blog.models.post import source_labels

        from .readers import readers

        source_labels.update({name: reader.label for name, reader in readers().items()})
