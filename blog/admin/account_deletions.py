"""Account deletions in the admin: the pages of every task, after those of other kinds."""

from django.contrib import admin

from staff.actions import RESCUE
from staff.admin import TaskAdmin

from ..models import AccountDeletion


@admin.register(AccountDeletion)
class AccountDeletionAdmin(TaskAdmin):
    task_actions = (RESCUE,)
    position_among_kinds = 2
