"""Imports in the admin: read-only, and without the contents of an archive."""

from django.contrib import admin

from blog.admin.read_only import ReadOnlyMixin

from .models import ImportTask


@admin.register(ImportTask)
class ImportTaskAdmin(ReadOnlyMixin, admin.ModelAdmin[ImportTask]):
    list_display = ["id", "owner", "source", "phase", "status", "rows_done", "created_at"]
    list_filter = ["status", "phase", "source"]
    list_select_related = ["owner"]
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["owner__username"]
    ordering = ["-created_at"]
    exclude = ["upload", "upload_name", "preview", "report", "lease_expires_at"]
