from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ImportsConfig(AppConfig):
    name = "imports"
    verbose_name = _("Imports")

    def ready(self) -> None:
        from blog import notifications
        from blog.accounts import deletion
        from blog.models.post import source_labels

        from . import progress, sweeper
        from .deletion import remove_imports
        from .readers import readers

        source_labels.update({name: reader.label for name, reader in readers().items()})
        notifications.register("import", progress.render_progress)
        deletion.before_delete(remove_imports)
        sweeper.register()
