"""Settings of the site. Variables of the environment set what differs between installations.

docs/operations.md lists the variables.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from .environment import anymail_settings, broker_socket, redis_url

django_stubs_ext.monkeypatch()  # makes generic Django classes subscriptable

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

# Folder of the embedded database and broker, of mails and archives.
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()
VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)

# Applications

INSTALLED_APPS = [
    "blog",
    "tasks",
    "staff",
    "exports",
    "api",
    "staff.apps.StaffAdminConfig",
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
    "microblog.health.ProbeMiddleware",
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
    # A DEFERRED transaction that reads and then writes fails with "database is locked" whatever the
    # timeout, so transactions are IMMEDIATE. The record that a mail was sent must survive a power
    # cut, so `synchronous` is FULL.
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

REDIS_URL = env.str("REDIS_URL", default=f"unix://{broker_socket(VAR_DIR)}")
REDIS_CACHE_DB = env.int("REDIS_CACHE_DB", default=1)

CACHES = {
    "default": {
        "BACKEND": "microblog.cache.FailOpenRedisCache",
        "LOCATION": redis_url(REDIS_URL, db=REDIS_CACHE_DB, socket_timeout=1),
    }
}

EXPORT_JOB_TIMEOUT = env.int("EXPORT_JOB_TIMEOUT", default=3600)

RQ_QUEUES = {
    "default": {
        "URL": redis_url(REDIS_URL),
        "DEFAULT_TIMEOUT": EXPORT_JOB_TIMEOUT,
        "SERIALIZER": "rq.serializers.JSONSerializer",
    }
}
# COMMIT_MODE is "auto" because tasks.jobs enqueues after commit itself.
RQ = {
    "WORKER_CLASS": "tasks.worker.Worker",
    "JOB_CLASS": "tasks.worker.Job",
    "COMMIT_MODE": "auto",
}

# Whether web and worker processes run on several machines (always on Heroku), for `exports.checks`.
SEVERAL_HOSTS = env.bool("SEVERAL_HOSTS", default="DYNO" in os.environ)

# Exports

EXPORT_LEASE_SECONDS = env.float("EXPORT_LEASE_SECONDS", default=20)
EXPORT_TICK_SECONDS = env.float("EXPORT_TICK_SECONDS", default=5)
EXPORT_MAX_RATE = env.int("EXPORT_MAX_RATE", default=0)  # rows per second; 0: unlimited
EXPORT_MAIL_LIMIT = env.int("EXPORT_MAIL_LIMIT", default=10_000_000)  # bytes of the encoded mail
EXPORT_KEEP_DAYS = env.float("EXPORT_KEEP_DAYS", default=7)
EXPORT_COOLDOWN = env.float("EXPORT_COOLDOWN", default=600)  # seconds from a success to a request
# Bytes of free disk space below which no build starts.
EXPORT_MIN_FREE = env.int("EXPORT_MIN_FREE", default=200_000_000)
EXPORT_ACCEL_PREFIX = env.str("EXPORT_ACCEL_PREFIX", default="")  # internal location in nginx

# Accounts

AUTH_USER_MODEL = "blog.User"
AUTHENTICATION_BACKENDS = ["blog.accounts.adapter.AccountBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"

# A session ends with the browser or after SESSION_IDLE_SECONDS without a request. With "Keep me
# signed in" it ends SESSION_COOKIE_AGE seconds after the last request.
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_IDLE_SECONDS = 12 * 3600
SESSION_COOKIE_AGE = 30 * 86_400
MAX_SESSION_SECONDS = 90 * 86_400

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
    *("admin", "administrator", "microblog", "moderator", "root", "staff", "support", "system"),
]
ACCOUNT_PRESERVE_USERNAME_CASING = True
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True  # only in the browser that signed up
ACCOUNT_CHANGE_EMAIL = True  # one address; a new one replaces it once it is confirmed
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Microblog] "
ACCOUNT_EMAIL_CONFIRMATION_AUTHENTICATED_REDIRECT_URL = "account_email"
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_RATE_LIMITS = {
    "login_failed": "10/15m/key",  # key: account and IP address
    "account_guessed": "100/15m/key",  # key: account
}

RATE_LIMITS = env.bool("RATE_LIMITS", default=True)  # of blog.rate_limits

MFA_ADAPTER = "blog.accounts.adapter.MFAAdapter"
MFA_FORMS = {
    "authenticate": "blog.accounts.forms.MFAForm",
    "reauthenticate": "blog.accounts.forms.ReauthenticateMFAForm",
    "activate_totp": "blog.accounts.forms.ActivateMFAForm",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Microblog"
MFA_TOTP_TOLERANCE = 1  # periods of 30 s before and after, because clocks of phones are wrong
STAFF_SECOND_FACTOR = env.bool("STAFF_SECOND_FACTOR", default=not DEBUG)  # MFA for the admin

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

# Files: static files are public, archives are private

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Whether `collectstatic` hashes and compresses the files, or they are served from static/.
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
        "BACKEND": "microblog.storage.HashedStaticFilesStorage"
        if STATIC_COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
    "archives": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": VAR_DIR / "archives",
            # With X-Accel-Redirect nginx reads the files as a member of the site's group.
            "file_permissions_mode": 0o640 if EXPORT_ACCEL_PREFIX else 0o600,
            "directory_permissions_mode": 0o750 if EXPORT_ACCEL_PREFIX else 0o700,
        },
    },
}
if EXPORT_BUCKET:
    from botocore.config import Config

    # boto3 reads keys, region and endpoint from its own variables.
    STORAGES["archives"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": EXPORT_BUCKET,
            "querystring_expire": 60,
            "client_config": Config(
                signature_version="s3v4",
                s3={"addressing_style": env.str("EXPORT_BUCKET_STYLE", default="auto")},
                connect_timeout=5,  # boto3's default of 60 s would block the sweeper
                read_timeout=15,
                retries={"total_max_attempts": 2},
            ),
        },
    }

# Languages

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_THOUSAND_SEPARATOR = True

# Security

SECURE_SSL_REDIRECT = env.bool("HTTPS", default=not DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SECURE_SSL_REDIRECT
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
# HSTS preload binds every subdomain for years, so it is left to the owner of the domain.
SILENCED_SYSTEM_CHECKS = ["security.W021"]

SECURITY_CONTACT = env.str("SECURITY_CONTACT", default="")  # address or URL for security reports

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

# Monitoring: logs on standard error, errors to ADMINS by mail and to Sentry, metrics for Prometheus

LOG_FORMAT = env.str("LOG_FORMAT", default="plain" if DEBUG else "json")
if LOG_FORMAT not in ("json", "plain"):
    raise ImproperlyConfigured("LOG_FORMAT must be json or plain.")
ADMIN_MAIL_PAUSE = env.int("ADMIN_MAIL_PAUSE", default=600)  # seconds between mails of one error
ADMIN_MAIL_HOURLY = env.int("ADMIN_MAIL_HOURLY", default=20)  # mails about errors per hour
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
        # Scanners send arbitrary Host headers, and an operator cannot do anything about it.
        "django.security.DisallowedHost": {"handlers": ["console"], "propagate": False},
        **{
            name: {"handlers": ["mail_admins"]}
            for name in ("api", "blog", "exports", "microblog", "staff", "tasks")
        },
        "rq.worker": {"handlers": ["mail_admins"]},  # a job's exception
        # gunicorn adds handlers to its loggers and turns their propagation off.
        "gunicorn.error": {"level": "INFO", "propagate": True},
        "gunicorn.access": {"level": "WARNING"},  # replaced by microblog.access, without secrets
    },
}

if SENTRY_DSN := env.str("SENTRY_DSN", default=""):
    from . import sentry

    sentry.init(
        dsn=SENTRY_DSN,
        environment=env.str("SENTRY_ENVIRONMENT", default="production"),
        release=env.str("SENTRY_RELEASE", default=""),
    )
