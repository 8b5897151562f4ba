"""All settings. What differs between places comes from the environment; docs/operations.md lists it."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import django_stubs_ext
import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from .mail_providers import anymail_settings

django_stubs_ext.monkeypatch()  # lets generic Django classes carry their types at run time

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=False)

INSECURE_KEY = "insecure-key-for-development-only"
SECRET_KEY = env.str("SECRET_KEY", default=INSECURE_KEY)
if SECRET_KEY == INSECURE_KEY and not DEBUG:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Give it a long random value in the environment, for example: "
        "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'. "
        "On a development machine set DEBUG=true instead (`make` does it for you)."
    )
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])

SITE_URL = env.str("SITE_URL", default="http://localhost:8000").rstrip("/")
SITE_HOST = urlsplit(SITE_URL).hostname or "localhost"
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=[SITE_HOST, "localhost", "127.0.0.1"] if DEBUG else [SITE_HOST]
)
CSRF_TRUSTED_ORIGINS = [SITE_URL]

# Where the embedded database, broker, mails and archives live.
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()
VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)


# Applications

INSTALLED_APPS = [
    "blog",
    "exports",
    "api",
    "exports.staff.apps.StaffConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "anymail",
    "csp",
    "django_rq",
]

MIDDLEWARE = [
    "microblog.request_ids.RequestIdMiddleware",
    "microblog.probes.ProbeMiddleware",
    "microblog.logs.AccessLogMiddleware",
    "microblog.metrics.RequestMetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "microblog.headers.HeadersMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "api.middleware.ApiMiddleware",
    "blog.accounts.sessions.SessionLimitMiddleware",
    "blog.middleware.UserMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "blog.middleware.MethodNotAllowedMiddleware",
]

ROOT_URLCONF = "microblog.urls"
WSGI_APPLICATION = "microblog.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


# Database: SQLite unless told otherwise

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db("DATABASE_URL", default=f"sqlite:///{VAR_DIR}/db.sqlite3")
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE, because a DEFERRED transaction that reads and then writes fails with "database is locked"
    # whatever the timeout; FULL, because the record that a mail went out must survive a power cut.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


# Broker and cache: one Redis or Valkey, database 0 for the queue and 1 for the cache


def _socket_dir() -> Path:
    """The folder of the embedded broker's socket; a path over 100 bytes would not fit in sockaddr_un (108)."""
    if len(os.fsencode(VAR_DIR / "valkey.sock")) <= 100:
        return VAR_DIR
    name = hashlib.sha256(os.fsencode(VAR_DIR)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"microblog-{os.getuid()}-{name}"


def _redis_url(url: str, **query: int) -> str:
    """`url` with timeouts, which only the URL form carries to every connection that django-rq makes."""
    added = urlencode({"socket_timeout": 2, "socket_connect_timeout": 1} | query)
    return f"{url}{'&' if '?' in url else '?'}{added}"


REDIS_URL = env.str("REDIS_URL", default=f"unix://{_socket_dir()}/valkey.sock")
REDIS_CACHE_DB = env.int("REDIS_CACHE_DB", default=1)

CACHES = {
    "default": {
        "BACKEND": "microblog.cache.FailOpenRedisCache",
        "LOCATION": _redis_url(REDIS_URL, db=REDIS_CACHE_DB, socket_timeout=1),
    }
}

EXPORT_JOB_TIMEOUT = env.int("EXPORT_JOB_TIMEOUT", default=3600)

RQ_QUEUES = {
    "default": {
        "URL": _redis_url(REDIS_URL),
        "DEFAULT_TIMEOUT": EXPORT_JOB_TIMEOUT,
        "SERIALIZER": "rq.serializers.JSONSerializer",
    }
}
RQ = {
    "WORKER_CLASS": "exports.worker.Worker",
    "COMMIT_MODE": "auto",  # exports.jobs enqueues after commit itself, and logs a broker that is away
}


# Whether web and worker processes run on more than one machine, as they do on Heroku; `exports.checks` wants to know.
SEVERAL_HOSTS = env.bool("SEVERAL_HOSTS", default="DYNO" in os.environ)


# Exports

EXPORT_LEASE_SECONDS = env.float("EXPORT_LEASE_SECONDS", default=20)
EXPORT_TICK_SECONDS = env.float("EXPORT_TICK_SECONDS", default=5)
EXPORT_MAX_RATE = env.int("EXPORT_MAX_RATE", default=0)  # rows a second; 0 is no limit
EXPORT_MAIL_LIMIT = env.int("EXPORT_MAIL_LIMIT", default=10_000_000)  # bytes of the encoded mail
EXPORT_KEEP_DAYS = env.float("EXPORT_KEEP_DAYS", default=7)
EXPORT_COOLDOWN = env.float(
    "EXPORT_COOLDOWN", default=600
)  # seconds from one success to the next request
EXPORT_MIN_FREE = env.int(
    "EXPORT_MIN_FREE", default=200_000_000
)  # bytes of disk below which no build begins
EXPORT_ACCEL_PREFIX = env.str(
    "EXPORT_ACCEL_PREFIX", default=""
)  # nginx's internal location for the archives


# People

AUTH_USER_MODEL = "blog.User"
AUTHENTICATION_BACKENDS = ["blog.accounts.adapter.AccountBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"

# A session ends with the browser and after hours of silence or, where the person wished to stay signed in, days later.
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_IDLE_SECONDS = 12 * 3600
SESSION_COOKIE_AGE = 30 * 86_400  # since it was last used, with "Keep me signed in"
SESSION_LONGEST_SECONDS = 90 * 86_400

ACCOUNT_ADAPTER = "blog.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "blog.accounts.forms.LoginForm",
    "signup": "blog.accounts.forms.SignupForm",
    "add_email": "blog.accounts.forms.AddEmailForm",
    "change_password": "blog.accounts.forms.ChangePasswordForm",
    "set_password": "blog.accounts.forms.SetPasswordForm",
    "reset_password": "blog.accounts.forms.ResetPasswordForm",
    "reset_password_from_key": "blog.accounts.forms.ResetPasswordKeyForm",
    "reauthenticate": "blog.accounts.forms.ReauthenticateForm",
}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_USERNAME_VALIDATORS = "blog.models.USERNAME_VALIDATORS"
ACCOUNT_USERNAME_BLACKLIST = [
    "admin",
    "administrator",
    "microblog",
    "moderator",
    "root",
    "staff",
    "support",
    "system",
]
ACCOUNT_PRESERVE_USERNAME_CASING = True
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = (
    True  # in the browser that signed up; elsewhere the password is asked for
)
ACCOUNT_CHANGE_EMAIL = True  # one address, and another in its place once that is confirmed
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Microblog] "
ACCOUNT_EMAIL_CONFIRMATION_AUTHENTICATED_REDIRECT_URL = "account_email"
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_RATE_LIMITS = {
    "login_failed": "10/15m/key",  # the key is an account and the address that the guess comes from
    "account_guessed": "100/15m/key",  # the key is an account
}

RATE_LIMITS = env.bool("RATE_LIMITS", default=True)  # blog.limits

MFA_ADAPTER = "blog.accounts.adapter.MFAAdapter"
MFA_FORMS = {
    "authenticate": "blog.accounts.forms.MFAForm",
    "reauthenticate": "blog.accounts.forms.ReauthenticateMFAForm",
    "activate_totp": "blog.accounts.forms.ActivateMFAForm",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Microblog"
MFA_TOTP_TOLERANCE = (
    1  # a code counts for a minute and a half: clocks of telephones are not all right
)
STAFF_SECOND_FACTOR = env.bool(
    "STAFF_SECOND_FACTOR", default=not DEBUG
)  # whether the admin opens to no others

PASSWORD_HASHERS = [
    "blog.accounts.passwords.Argon2idHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "blog.accounts.passwords.UserAttributeSimilarityValidator"},
    {"NAME": "blog.accounts.passwords.MinimumLengthValidator"},
    {"NAME": "blog.accounts.passwords.MaximumLengthValidator"},
    {"NAME": "blog.accounts.passwords.CommonPasswordValidator"},
]


# Mail: EMAIL_URL for SMTP, or EMAIL_BACKEND and ANYMAIL_* for a provider's API

EMAIL_BACKEND = f"django.core.mail.backends.{'console' if DEBUG else 'smtp'}.EmailBackend"
if "EMAIL_URL" in env:
    globals().update(env.email_url("EMAIL_URL"))
EMAIL_BACKEND = env.str("EMAIL_BACKEND", default=EMAIL_BACKEND)
EMAIL_TIMEOUT = 10
EMAIL_SUBJECT_PREFIX = "[Microblog] "
ANYMAIL = anymail_settings(os.environ) | {"REQUESTS_TIMEOUT": EMAIL_TIMEOUT}
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"Microblog <noreply@{SITE_HOST}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
ADMINS = [("", address) for address in env.list("ADMINS", default=[])]


# Files: static ones are public, archives never are

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Hashed and compressed by `collectstatic`, or served as they lie in the source.
STATIC_COLLECTED = env.bool("STATIC_COLLECTED", default=not DEBUG)
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not STATIC_COLLECTED

EXPORT_BUCKET = env.str("EXPORT_BUCKET", default="")
STORAGES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": VAR_DIR / "media"},
    },
    "staticfiles": {
        "BACKEND": "microblog.storage.StaticFiles"
        if STATIC_COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
    "archives": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": VAR_DIR / "archives",
            # nginx, where it sends them, reads them as a member of our group.
            "file_permissions_mode": 0o640 if EXPORT_ACCEL_PREFIX else 0o600,
            "directory_permissions_mode": 0o750 if EXPORT_ACCEL_PREFIX else 0o700,
        },
    },
}
if EXPORT_BUCKET:
    from botocore.config import Config

    # Keys, region and endpoint come from boto3's own variables.
    STORAGES["archives"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": EXPORT_BUCKET,
            "querystring_expire": 60,
            "client_config": Config(
                signature_version="s3v4",
                s3={"addressing_style": env.str("EXPORT_BUCKET_STYLE", default="auto")},
                connect_timeout=5,  # a store that hangs must not hold the sweeper up for long: boto3's own is 60
                read_timeout=15,
                retries={"total_max_attempts": 2},
            ),
        },
    }


# Languages

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español"), ("zh-hans", "简体中文")]  # each in its own words
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_THOUSAND_SEPARATOR = True


# Safety

SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = (
    env.bool("HTTPS", default=not DEBUG)
)
if SECURE_SSL_REDIRECT:
    SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    ALLAUTH_TRUSTED_PROXY_COUNT = 1
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = [
    "security.W021",  # HSTS preload binds every subdomain for years: the domain's owner decides that, not we
]

SECURITY_CONTACT = env.str("SECURITY_CONTACT", default="")  # an address or URL to report holes to

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # Bootstrap's icons are data: URLs in its style sheet
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}


# Watching: log lines on standard error, errors to ADMINS by mail and to Sentry, /metrics for Prometheus

LOG_FORMAT = env.str("LOG_FORMAT", default="plain" if DEBUG else "json")
if LOG_FORMAT not in ("json", "plain"):
    raise ImproperlyConfigured("LOG_FORMAT is either json or plain.")
ADMIN_MAIL_PAUSE = env.int(
    "ADMIN_MAIL_PAUSE", default=600
)  # seconds until the same error is mailed again
ADMIN_MAIL_HOURLY = env.int("ADMIN_MAIL_HOURLY", default=20)  # mails about errors in an hour
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "microblog.logs.RequestIdFilter"}},
    "formatters": {
        "json": {"()": "microblog.logs.JsonFormatter"},
        "plain": {"()": "microblog.logs.PlainFormatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["request_id"],
        },
        "mail_admins": {
            "class": "microblog.logs.AdminMailHandler",
            "level": "ERROR",
            "formatter": "plain",
            "filters": ["request_id"],
        },
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django": {"handlers": ["mail_admins"], "level": "INFO"},
        # Scanners send any Host header that they please: nothing that an operator could mend.
        "django.security.DisallowedHost": {"handlers": ["console"], "propagate": False},
        **{name: {"handlers": ["mail_admins"]} for name in ("api", "blog", "exports", "microblog")},
        "rq.worker": {"handlers": ["mail_admins"]},  # a job's exception
        # gunicorn gives its loggers handlers of their own, and lets nothing through to ours.
        "gunicorn.error": {"level": "INFO", "propagate": True},
        "gunicorn.access": {"level": "WARNING"},  # ours has no secrets in it: `microblog.logs`
    },
}

if SENTRY_DSN := env.str("SENTRY_DSN", default=""):
    from . import sentry

    sentry.start(
        SENTRY_DSN,
        env.str("SENTRY_ENVIRONMENT", default="production"),
        env.str("SENTRY_RELEASE", default=""),
    )
