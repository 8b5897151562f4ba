"""Every URL of the site, and what each role is answered there.

A word is a status; "in" leads to the sign-in, "again" asks for the password once more.
"""

ROLES = ("visitor", "stranger", "owner", "support", "operator", "moderator", "superuser")

ANYONE = "200 200 200 200 200 200 200"
VISITORS = "200 302 302 302 302 302 302"  # whoever is signed in has no need of it
PEOPLE = "in 200 200 200 200 200 200"
AGAIN = "in again again again again again again"
OWNER = "in 404 200 404 404 404 404"
OTHERS = "in 200 404 200 200 200 200"
PROGRAMS = "401 401 401 401 401 401 401"  # a session is no token
POST = "405 405 405 405 405 405 405"
ELSEWHERE = "302 302 302 302 302 302 302"
PEOPLE_ELSEWHERE = "in 302 302 302 302 302 302"
NOTHING = "404 404 404 404 404 404 404"
NOT_YET = "in 404 404 404 404 404 404"  # as long as there is no second factor

STAFF = "in in in 200 200 200 200"
STAFF_ELSEWHERE = "in in in 302 302 302 302"
STAFF_NOTHING = "in in in 404 404 404 404"
WATCH = "in in in 200 200 403 200"
OPERATE = "in in in 403 200 403 200"
OPERATE_ELSEWHERE = "in in in 403 302 403 302"
OPERATE_NOTHING = "in in in 403 404 403 404"
STATISTICS = "401 401 401 403 200 403 200"
MODERATE = "in in in 403 403 200 200"
SUPERUSER = "in in in 403 403 403 200"
NOBODY = "in in in 403 403 403 403"


def rows(model: str, pk: str, see: str, add: str, delete: str) -> dict[str, str]:
    """A model's pages in the admin."""
    one = f"/admin/{model}/{pk}/"
    return {
        f"/admin/{model}/": see,
        f"/admin/{model}/add/": add,
        one: STAFF_ELSEWHERE,
        f"{one}change/": see,
        f"{one}history/": see,
        f"{one}delete/": delete,
    }


# What a GET is answered.
DOORS = {
    "/": ANYONE,
    "/explore/": ANYONE,
    "/explore/feed/": ANYONE,
    "/search/": ANYONE,
    "/.well-known/security.txt": NOTHING,  # no contact is set
    "/posts/": POST,
    "/posts/{post}/": ANYONE,
    "/posts/{post}/edit/": OWNER,
    "/posts/{post}/delete/": OWNER,
    "/posts/{post}/report/": OTHERS,
    "/reports/{report}/": OWNER,
    "/@carol/": ANYONE,
    "/@carol/feed/": ANYONE,
    "/@carol/card/": ANYONE,
    "/@carol/followers/": ANYONE,
    "/@carol/following/": ANYONE,
    "/@carol/follow/": POST,
    "/@carol/unfollow/": POST,
    "/@carol/mute/": POST,
    "/@carol/unmute/": POST,
    "/@carol/block/": PEOPLE,
    "/@carol/unblock/": POST,
    "/@carol/report/": PEOPLE,
    "/avatars/carol.svg": ANYONE,
    "/messages/": PEOPLE,
    "/messages/@carol/": PEOPLE,
    "/messages/@carol/news/": PEOPLE,
    "/messages/@carol/read/": POST,
    "/notifications/": "401 200 200 200 200 200 200",
    "/notifications/all/": PEOPLE,
    "/notifications/read/": POST,
    "/language/": POST,
    "/theme/": POST,
    # Exports
    "/exports/": PEOPLE,
    "/exports/new/posts/": PEOPLE,
    "/exports/{task}/": OWNER,
    "/exports/{task}/cancel/": POST,
    "/exports/{task}/download/": OWNER,
    # Accounts
    "/accounts/login/": VISITORS,
    "/accounts/signup/": VISITORS,
    "/accounts/logout/": "302 200 200 200 200 200 200",
    "/accounts/inactive/": ANYONE,
    "/accounts/confirm-email/": ANYONE,
    "/accounts/confirm-email/stale/": ANYONE,
    "/accounts/password/reset/": ANYONE,
    "/accounts/password/reset/done/": ANYONE,
    "/accounts/password/reset/key/1-stale/": ANYONE,
    "/accounts/password/reset/key/done/": ANYONE,
    "/accounts/password/set/": PEOPLE_ELSEWHERE,
    "/accounts/password/change/": PEOPLE,
    "/accounts/login/code/confirm/": PEOPLE_ELSEWHERE,
    "/accounts/reauthenticate/": PEOPLE,
    "/accounts/email/": PEOPLE,
    "/accounts/sessions/": PEOPLE,
    "/accounts/2fa/": PEOPLE,
    "/accounts/2fa/authenticate/": PEOPLE_ELSEWHERE,
    "/accounts/2fa/reauthenticate/": AGAIN,
    "/accounts/2fa/totp/activate/": AGAIN,
    "/accounts/2fa/totp/deactivate/": NOT_YET,
    "/accounts/2fa/recovery-codes/": NOT_YET,
    "/accounts/2fa/recovery-codes/generate/": AGAIN,
    "/accounts/2fa/recovery-codes/download/": NOT_YET,
    "/settings/": PEOPLE,
    "/settings/profile/": PEOPLE,
    "/settings/notifications/": PEOPLE,
    "/settings/blocks/": PEOPLE,
    "/settings/delete/": PEOPLE,
    "/settings/sessions/{session}/end/": POST,
    "/settings/tokens/": PEOPLE,
    "/settings/tokens/new/": AGAIN,
    "/settings/tokens/made/": PEOPLE_ELSEWHERE,
    "/settings/tokens/{token}/revoke/": POST,
    # The API
    "/api/": ELSEWHERE,
    "/api/docs": ELSEWHERE,
    "/api/docs/": ANYONE,
    "/api/v1/": NOTHING,
    "/api/v1/openapi.json": ANYONE,
    "/api/v1/profile/": PROGRAMS,
    "/api/v1/posts/": PROGRAMS,
    "/api/v1/posts/{post}/": PROGRAMS,
    "/api/v1/timeline/": PROGRAMS,
    "/api/v1/explore/": PROGRAMS,
    "/api/v1/following/": PROGRAMS,
    "/api/v1/following/carol/": POST,
    "/api/v1/exports/": PROGRAMS,
    "/api/v1/exports/{task}/": PROGRAMS,
    "/api/v1/exports/{task}/cancel/": POST,
    "/api/v1/exports/{task}/download/": PROGRAMS,
    # The staff desk
    "/admin/": STAFF,
    "/admin/login/": "in 403 403 302 302 302 302",
    "/admin/logout/": "302 302 302 405 405 405 405",
    "/admin/password_change/": STAFF_ELSEWHERE,
    "/admin/password_change/done/": STAFF,
    "/admin/autocomplete/": NOBODY,
    "/admin/jsi18n/": STAFF,
    "/admin/r/{type}/{post}/": STAFF_ELSEWHERE,
    "/admin/blog/": MODERATE.replace("403", "404"),
    "/admin/nowhere": STAFF_NOTHING,
    "/admin/diagnosis/": WATCH,
    "/admin/selftest/": OPERATE,
    "/admin/selftest/{test}/": OPERATE,
    **rows("exports/exporttask", "{task}", WATCH, NOBODY, NOBODY),
    "/admin/exports/exporttask/live/": WATCH,
    "/admin/exports/exporttask/act/cancel/?task={task}": WATCH,
    "/admin/exports/exporttask/act/expire/?task={task}": OPERATE,
    **rows("blog/report", "{report}", MODERATE, NOBODY, NOBODY),
    "/admin/blog/report/{report}/decide/dismiss/": MODERATE,
    **rows("blog/post", "{post}", MODERATE, SUPERUSER, SUPERUSER),
    "/admin/blog/post/{post}/decide/hide/": MODERATE,
    **rows("blog/user", "{person}", MODERATE, SUPERUSER, SUPERUSER),
    "/admin/blog/user/{person}/decide/deactivate/": MODERATE,
    "/admin/blog/user/{person}/password/": SUPERUSER,
    **rows("blog/follow", "{follow}", SUPERUSER, SUPERUSER, SUPERUSER),
    **rows("auth/group", "{group}", SUPERUSER, SUPERUSER, SUPERUSER),
    **rows("mfa/authenticator", "{factor}", SUPERUSER, NOBODY, SUPERUSER),
    "/admin/django_rq/dashboard/": OPERATE,
    "/admin/django_rq/dashboard/stats.json": STATISTICS,
    "/admin/django_rq/dashboard/stats.json/guess": STATISTICS,
    "/admin/django_rq/dashboard/metrics": STATISTICS,
    "/admin/django_rq/dashboard/queues/0/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/details/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/finished/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/failed/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/failed/clear/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/scheduled/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/started/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/deferred/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/empty/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/requeue-all/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/{job}/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/{job}/results/1/": OPERATE_NOTHING,
    "/admin/django_rq/dashboard/queues/0/{job}/delete/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/{job}/requeue/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/{job}/enqueue/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/{job}/stop/": OPERATE.replace("200", "405"),
    "/admin/django_rq/dashboard/queues/confirm-action/0/": OPERATE_ELSEWHERE,
    "/admin/django_rq/dashboard/queues/actions/0/": OPERATE_ELSEWHERE,
    "/admin/django_rq/dashboard/workers/0/": OPERATE,
    "/admin/django_rq/dashboard/workers/0/{worker}/": OPERATE,
}

DONE = "in 302 302 302 302 302 302"
OWNERS_DEED = "in 404 302 404 404 404 404"

# What a POST is answered where a GET is not.
DEEDS = {
    "/posts/": "in 422 422 422 422 422 422",
    "/@carol/follow/": DONE,
    "/@carol/unfollow/": DONE,
    "/@carol/mute/": DONE,
    "/@carol/unmute/": DONE,
    "/@carol/unblock/": DONE,
    "/messages/@carol/read/": "in 404 404 404 404 404 404",
    "/notifications/read/": DONE,
    "/language/": ELSEWHERE,
    "/theme/": ELSEWHERE,
    "/exports/{task}/cancel/": OWNERS_DEED,
    "/settings/sessions/{session}/end/": OWNERS_DEED,
    "/settings/tokens/{token}/revoke/": OWNERS_DEED,
    "/api/v1/following/carol/": POST,
    "/api/v1/exports/{task}/cancel/": PROGRAMS,
}
