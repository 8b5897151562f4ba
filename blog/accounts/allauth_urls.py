"""URLs of django-allauth, preceded by the views that this site changes or adds."""

from django.urls import include, path

from . import allauth_views

urlpatterns = [
    path("signup/", allauth_views.SignupView.as_view(), name="account_signup"),
    path("2fa/totp/activate/", allauth_views.ActivateTOTPView.as_view(), name="mfa_activate_totp"),
    path("2fa/totp/activate/<str:key>/", allauth_views.enrolment, name="mfa_enrolment"),
    path("", include("allauth.urls")),
]
