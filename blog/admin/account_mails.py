"""Admin pages of e-mails about accounts: how each fares, never its text, its links or its address.

An account mail can hold a link that opens an account.
"""

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from staff.admin import MailAdmin
from staff.live_list import EMPTY

from ..models import AccountMail


@admin.register(AccountMail)
class AccountMailAdmin(MailAdmin):
    list_select_related = ("user",)
    search_fields = ("user__username",)
    search_help_text = _("Recipient's name, an e-mail's id, or a Message-ID")

    def error_text(self, mail: AccountMail) -> str:
        """Return the mail server's answer without the address, which it often repeats."""
        return mail.error.replace(mail.to, "…")

    @admin.display(description=_("recipient"), ordering="user__username")
    def about(self, mail: AccountMail) -> SafeString | str:
        return mail.user.username if mail.user else EMPTY
