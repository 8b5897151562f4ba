"""Access to every URL of the site: the response that each role gets.

A response is an HTTP status, or SIGN_IN or REAUTHENTICATE for a redirect to that page.
"""

Response = int | str
Row = dict[str, Response]

ROLES = ("visitor", "stranger", "owner", "support", "operator", "moderator", "superuser")
STAFF_ROLES = ROLES[3:]

SIGN_IN = "sign in"
REAUTHENTICATE = "reauthenticate"


def row(default: Response, **by_role: Response) -> Row:
    return dict.fromkeys(ROLES, default) | by_role


def staff_row(default: Response, **by_role: Response) -> Row:
    """Return a row of the admin: everybody who is not staff is sent to sign in."""
    return row(SIGN_IN) | dict.fromkeys(STAFF_ROLES, default) | by_role


EVERYBODY = row(200)
EVERYBODY_REDIRECTED = row(302)
NOT_FOUND = row(404)
POST_ONLY = row(405)
VISITORS_ONLY = row(302, visitor=200)
SIGNED_IN = row(200, visitor=SIGN_IN)
SIGNED_IN_REDIRECTED = row(302, visitor=SIGN_IN)
SIGNED_IN_REAUTHENTICATED = row(REAUTHENTICATE, visitor=SIGN_IN)
OWNER_ONLY = row(404, visitor=SIGN_IN, owner=200)
OWNER_REDIRECTED = row(404, visitor=SIGN_IN, owner=302)
OWNER_EXCLUDED = row(200, visitor=SIGN_IN, owner=404)
NEEDS_MFA = row(404, visitor=SIGN_IN)  # nobody here has activated it
NEEDS_TOKEN = row(401)  # the API accepts no sessions

STAFF = staff_row(200)
STAFF_REDIRECTED = staff_row(302)
STAFF_NOT_FOUND = staff_row(404)
VIEW_TASKS = staff_row(200, moderator=403)
OPERATE = staff_row(403, operator=200, superuser=200)
OPERATE_REDIRECTED = staff_row(403, operator=302, superuser=302)
OPERATE_NOT_FOUND = staff_row(403, operator=404, superuser=404)
OPERATE_POST_ONLY = staff_row(403, operator=405, superuser=405)
STATISTICS = row(401, support=403, operator=200, moderator=403, superuser=200)
MODERATE = staff_row(403, moderator=200, superuser=200)
SUPERUSER = staff_row(403, superuser=200)
NOBODY = staff_row(403)


def admin_rows(model: str, pk: str, view: Row, add: Row, delete: Row) -> dict[str, Row]:
    """Return the rows of a model's pages in the admin."""
    return {
        f"/admin/{model}/": view,
        f"/admin/{model}/add/": add,
        f"/admin/{model}/{pk}/": STAFF_REDIRECTED,
        f"/admin/{model}/{pk}/change/": view,
        f"/admin/{model}/{pk}/history/": view,
        f"/admin/{model}/{pk}/delete/": delete,
    }


# Responses to GET.
ACCESS: dict[str, Row] = {
    "/": EVERYBODY,
    "/explore/": EVERYBODY,
    "/explore/feed/": EVERYBODY,
    "/search/": EVERYBODY,
    "/.well-known/security.txt": NOT_FOUND,  # no contact is set
    "/posts/": POST_ONLY,
    "/posts/{post}/": EVERYBODY,
    "/posts/{post}/edit/": OWNER_ONLY,
    "/posts/{post}/delete/": OWNER_ONLY,
    "/posts/{post}/report/": OWNER_EXCLUDED,
    "/reports/{report}/": OWNER_ONLY,
    "/@carol/": EVERYBODY,
    "/@carol/feed/": EVERYBODY,
    "/@carol/card/": EVERYBODY,
    "/@carol/followers/": EVERYBODY,
    "/@carol/following/": EVERYBODY,
    "/@carol/follow/": POST_ONLY,
    "/@carol/unfollow/": POST_ONLY,
    "/@carol/mute/": POST_ONLY,
    "/@carol/unmute/": POST_ONLY,
    "/@carol/block/": SIGNED_IN,
    "/@carol/unblock/": POST_ONLY,
    "/@carol/report/": SIGNED_IN,
    "/avatars/carol.svg": EVERYBODY,
    "/messages/": SIGNED_IN,
    "/messages/@carol/": SIGNED_IN,
    "/messages/@carol/news/": SIGNED_IN,
    "/messages/@carol/read/": POST_ONLY,
    "/notifications/": row(200, visitor=401),
    "/notifications/all/": SIGNED_IN,
    "/notifications/read/": POST_ONLY,
    "/language/": POST_ONLY,
    "/theme/": POST_ONLY,
    # Exports
    "/exports/": SIGNED_IN,
    "/exports/new/posts/": SIGNED_IN,
    "/exports/{task}/": OWNER_ONLY,
    "/exports/{task}/cancel/": POST_ONLY,
    "/exports/{task}/download/": OWNER_ONLY,
    # Imports
    "/imports/": SIGNED_IN,
    "/imports/{import}/": OWNER_ONLY,
    "/imports/{import}/cancel/": POST_ONLY,
    "/imports/{import}/undo/": POST_ONLY,
    "/imports/{import}/report/": OWNER_ONLY,
    # Accounts
    "/accounts/login/": VISITORS_ONLY,
    "/accounts/signup/": VISITORS_ONLY,
    "/accounts/logout/": row(200, visitor=302),
    "/accounts/inactive/": EVERYBODY,
    "/accounts/confirm-email/": EVERYBODY,
    "/accounts/confirm-email/stale/": EVERYBODY,
    "/accounts/password/reset/": EVERYBODY,
    "/accounts/password/reset/done/": EVERYBODY,
    "/accounts/password/reset/key/1-stale/": EVERYBODY,
    "/accounts/password/reset/key/done/": EVERYBODY,
    "/accounts/password/set/": SIGNED_IN_REDIRECTED,
    "/accounts/password/change/": SIGNED_IN,
    "/accounts/login/code/confirm/": SIGNED_IN_REDIRECTED,
    "/accounts/reauthenticate/": SIGNED_IN,
    "/accounts/email/": SIGNED_IN,
    "/accounts/sessions/": SIGNED_IN,
    "/accounts/2fa/": SIGNED_IN,
    "/accounts/2fa/authenticate/": SIGNED_IN_REDIRECTED,
    "/accounts/2fa/reauthenticate/": SIGNED_IN_REAUTHENTICATED,
    "/accounts/2fa/totp/activate/": SIGNED_IN_REAUTHENTICATED,
    "/accounts/2fa/totp/deactivate/": NEEDS_MFA,
    "/accounts/2fa/recovery-codes/": NEEDS_MFA,
    "/accounts/2fa/recovery-codes/generate/": SIGNED_IN_REAUTHENTICATED,
    "/accounts/2fa/recovery-codes/download/": NEEDS_MFA,
    "/settings/": SIGNED_IN,
    "/settings/profile/": SIGNED_IN,
    "/settings/notifications/": SIGNED_IN,
    "/settings/blocks/": SIGNED_IN,
    "/settings/delete/": SIGNED_IN,
    "/settings/sessions/{session}/end/": POST_ONLY,
    "/settings/tokens/": SIGNED_IN,
    "/settings/tokens/new/": SIGNED_IN_REAUTHENTICATED,
    "/settings/tokens/made/": SIGNED_IN_REDIRECTED,
    "/settings/tokens/{token}/revoke/": POST_ONLY,
    # The API
    "/api/": EVERYBODY_REDIRECTED,
    "/api/docs": EVERYBODY_REDIRECTED,
    "/api/docs/": EVERYBODY,
    "/api/v1/": NOT_FOUND,
    "/api/v1/openapi.json": EVERYBODY,
    "/api/v1/profile/": NEEDS_TOKEN,
    "/api/v1/posts/": NEEDS_TOKEN,
    "/api/v1/posts/{post}/": NEEDS_TOKEN,
    "/api/v1/timeline/": NEEDS_TOKEN,
    "/api/v1/explore/": NEEDS_TOKEN,
    "/api/v1/following/": NEEDS_TOKEN,
    "/api/v1/following/carol/": POST_ONLY,
    "/api/v1/exports/": NEEDS_TOKEN,
    "/api/v1/exports/{task}/": NEEDS_TOKEN,
    "/api/v1/exports/{task}/cancel/": POST_ONLY,
    "/api/v1/exports/{task}/download/": NEEDS_TOKEN,
    "/api/v1/imports/": NEEDS_TOKEN,
    "/api/v1/imports/{import}/": NEEDS_TOKEN,
    "/api/v1/imports/{import}/cancel/": POST_ONLY,
    # The admin
    "/admin/": STAFF,
    "/admin/login/": row(302, visitor=SIGN_IN, stranger=403, owner=403),
    "/admin/logout/": row(302) | dict.fromkeys(STAFF_ROLES, 405),
    "/admin/password_change/": STAFF_REDIRECTED,
    "/admin/password_change/done/": STAFF,
    "/admin/autocomplete/": NOBODY,
    "/admin/jsi18n/": STAFF,
    "/admin/r/{type}/{post}/": STAFF_REDIRECTED,
    "/admin/blog/": STAFF,
    "/admin/nowhere": STAFF_NOT_FOUND,
    "/admin/diagnosis/": VIEW_TASKS,
    "/admin/selftest/": OPERATE,
    "/admin/selftest/{test}/": OPERATE,
    **admin_rows("exports/exporttask", "{task}", view=VIEW_TASKS, add=NOBODY, delete=NOBODY),
    "/admin/exports/exporttask/live/": VIEW_TASKS,
    "/admin/exports/exporttask/act/cancel/?task={task}": VIEW_TASKS,
    "/admin/exports/exporttask/act/expire/?task={task}": OPERATE,
    **admin_rows("imports/importtask", "{import}", view=SUPERUSER, add=NOBODY, delete=NOBODY),
    "/admin/imports/importtask/live/": SUPERUSER,
    "/admin/imports/importtask/act/cancel/?task={import}": SUPERUSER,
    **admin_rows("exports/exportmail", "{exportmail}", view=VIEW_TASKS, add=NOBODY, delete=NOBODY),
    **admin_rows("blog/accountmail", "{accountmail}", view=VIEW_TASKS, add=NOBODY, delete=NOBODY),
    **admin_rows("blog/accountdeletion", "{deletion}", view=SUPERUSER, add=NOBODY, delete=NOBODY),
    "/admin/blog/accountdeletion/live/": SUPERUSER,
    "/admin/blog/accountdeletion/act/rescue/?task={deletion}": SUPERUSER,
    # A kind of task and mail of the tests, which no group may see
    **admin_rows("sample/sampletask", "{sample}", view=SUPERUSER, add=NOBODY, delete=NOBODY),
    "/admin/sample/sampletask/live/": SUPERUSER,
    "/admin/sample/sampletask/act/cancel/?task={sample}": SUPERUSER,
    **admin_rows("sample/samplemail", "{samplemail}", view=SUPERUSER, add=NOBODY, delete=NOBODY),
    **admin_rows("blog/report", "{report}", view=MODERATE, add=NOBODY, delete=NOBODY),
    "/admin/blog/report/{report}/decide/dismiss/": MODERATE,
    **admin_rows("blog/post", "{post}", view=MODERATE, add=SUPERUSER, delete=SUPERUSER),
    "/admin/blog/post/{post}/decide/hide/": MODERATE,
    **admin_rows("blog/user", "{user}", view=MODERATE, add=SUPERUSER, delete=SUPERUSER),
    "/admin/blog/user/{user}/decide/deactivate/": MODERATE,
    "/admin/blog/user/{user}/password/": SUPERUSER,
    **admin_rows("blog/follow", "{follow}", view=SUPERUSER, add=SUPERUSER, delete=SUPERUSER),
    **admin_rows("auth/group", "{group}", view=SUPERUSER, add=SUPERUSER, delete=SUPERUSER),
    **admin_rows("mfa/authenticator", "{factor}", view=SUPERUSER, add=NOBODY, delete=SUPERUSER),
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
    "/admin/django_rq/dashboard/queues/0/{job}/results/1/": OPERATE_NOT_FOUND,
    "/admin/django_rq/dashboard/queues/0/{job}/delete/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/{job}/requeue/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/{job}/enqueue/": OPERATE,
    "/admin/django_rq/dashboard/queues/0/{job}/stop/": OPERATE_POST_ONLY,
    "/admin/django_rq/dashboard/queues/confirm-action/0/": OPERATE_REDIRECTED,
    "/admin/django_rq/dashboard/queues/actions/0/": OPERATE_REDIRECTED,
    "/admin/django_rq/dashboard/workers/0/": OPERATE,
    "/admin/django_rq/dashboard/workers/0/{worker}/": OPERATE,
}

# Responses to POST of the URLs that do not accept GET.
POST_ACCESS: dict[str, Row] = {
    "/posts/": row(422, visitor=SIGN_IN),
    "/@carol/follow/": SIGNED_IN_REDIRECTED,
    "/@carol/unfollow/": SIGNED_IN_REDIRECTED,
    "/@carol/mute/": SIGNED_IN_REDIRECTED,
    "/@carol/unmute/": SIGNED_IN_REDIRECTED,
    "/@carol/unblock/": SIGNED_IN_REDIRECTED,
    "/messages/@carol/read/": row(404, visitor=SIGN_IN),
    "/notifications/read/": SIGNED_IN_REDIRECTED,
    "/language/": EVERYBODY_REDIRECTED,
    "/theme/": EVERYBODY_REDIRECTED,
    "/exports/{task}/cancel/": OWNER_REDIRECTED,
    "/imports/{import}/cancel/": OWNER_REDIRECTED,
    "/imports/{import}/undo/": OWNER_REDIRECTED,
    "/settings/sessions/{session}/end/": OWNER_REDIRECTED,
    "/settings/tokens/{token}/revoke/": OWNER_REDIRECTED,
    "/api/v1/following/carol/": POST_ONLY,
    "/api/v1/exports/{task}/cancel/": NEEDS_TOKEN,
    "/api/v1/imports/{import}/cancel/": NEEDS_TOKEN,
}
