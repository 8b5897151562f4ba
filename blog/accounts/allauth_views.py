"""Views of django-allauth with changes; their URLs precede django-allauth's."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.views import SignupView as AllauthSignupView
from allauth.mfa.totp.views import ActivateTOTPView as AllauthActivateTOTPView
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from microblog.http import AuthenticatedRequest

from ..models import User
from . import second_factor


class SignupView(AllauthSignupView):
    def form_valid(self, form: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().form_valid(form)
        except IntegrityError:  # the same name signs up several times at once
            form.add_error("username", get_adapter().validation_error("username_taken"))
            response = self.form_invalid(form)
        return response


class ActivateTOTPView(AllauthActivateTOTPView):
    """Set-up of two-step verification, once the session has opened a link from the mailbox."""

    def get(self, request: AuthenticatedRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not second_factor.may_enrol(request):
            return render(
                request, "mfa/totp/enrolment.html", {"address": request.user.confirmed_email}
            )
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    def post(self, request: AuthenticatedRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if second_factor.may_enrol(request):
            response: HttpResponse = super().post(request, *args, **kwargs)
            return response
        is_sent = second_factor.mail_enrolment_link(request.user)
        return render(request, "mfa/totp/enrolment.html", {"is_sent": is_sent})

    def form_valid(self, form: Any) -> HttpResponse:
        user = self.request.user
        with transaction.atomic():
            # Lock the user, so that two concurrent requests cannot both turn it on.
            User.objects.select_for_update(no_key=True).get(pk=user.pk)
            if is_mfa_enabled(user):
                return redirect("mfa_index")
            response: HttpResponse = super().form_valid(form)
            # The code counts as used.
            authenticator = user.authenticator_set.get(type="totp")
            second_factor.use_counter(authenticator, form.counter)
            second_factor.close_enrolment(self.request)
        return response


@require_safe
@login_required
def enrolment(request: AuthenticatedRequest, key: str) -> HttpResponse:
    """Open the link from the mailbox: this session may set up two-step verification."""
    if not second_factor.open_enrolment(request, request.user, key):
        messages.error(request, _("This link no longer works. Request a new one."))
    return redirect("mfa_activate_totp")
