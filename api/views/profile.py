from django.forms import model_to_dict
from django.utils.translation import gettext_noop as _
from ninja import Router

from api.problems import require_valid
from api.schemas import ProfileIn, ProfileOut, problem_responses
from blog.forms import ProfileForm
from blog.models import User
from microblog.http import AuthenticatedRequest

router = Router(tags=[_("Profile")])


@router.get(
    "/profile/", summary=_("Your profile"), response={200: ProfileOut, **problem_responses()}
)
def profile_detail(request: AuthenticatedRequest) -> ProfileOut:
    return ProfileOut.from_profile(User.objects.with_profile(request.user).get(pk=request.user.pk))


@router.patch(
    "/profile/",
    summary=_("Change your profile"),
    response={200: ProfileOut, **problem_responses(400, 403, 422)},
)
def profile_edit(request: AuthenticatedRequest, data: ProfileIn) -> ProfileOut:
    fields = model_to_dict(request.user, ProfileForm.Meta.fields) | data.dict(exclude_unset=True)
    form = ProfileForm(fields, instance=request.user)
    require_valid(form)
    form.save()
    return profile_detail(request)
