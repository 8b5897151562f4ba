"""The request of somebody who is signed in."""

from django.http import HttpRequest

from .models import User


class PersonRequest(HttpRequest):
    """What views behind `login_required` are given."""

    user: User
