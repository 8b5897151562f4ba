from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Compressed static files with hashes in their names, also where modules import each other."""

    support_js_module_import_aggregation = True
