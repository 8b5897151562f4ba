"""Settings of the site. Variables of the environment set what differs between installations.

docs/operations.md lists the variables.
"""

import os
from pathlib import Path
from typing import Any

import django_stubs_ext
from csp.constants import NONE, SELF
from environ import Env

from .addresses import broker_socket, redis_database, redis_url, socket_url
from .environment import Environment, InvalidVariable, anymail_settings

django_stubs_ext.monkeypatch()  # makes generic Django classes subscriptable

BASE_DIR = Path(__file__).resolve().parent.parent

Env.read_env(BASE_DIR / ".env")
env = Environment(os.environ)

DEBUG = env.boolean("DEBUG", default=False)

INSECURE_KEY = "insecure-key-for-development-only"
SECRET_KEY = env.secret_key("SECRET_KEY", default=INSECURE_KEY, is_strict=not DEBUG)
SECRET_KEY_FALLBACKS = env.secret_keys(
    "SECRET_KEY_FALLBACKS", default=INSECURE_KEY, is_strict=not DEBUG
)

SITE = env.site("SITE_URL", default="http://localhost:8000")
SITE_URL, SITE_HOST = SITE.url, SITE.host
env.refuse_prefix("SCRIPT_NAME")
ALLOWED_HOSTS = env.hosts(
    "ALLOWED_HOSTS", default=[SITE_HOST, "localhost", "127.0.0.1"] if DEBUG else [SITE_HOST]
)
CSRF_TRUSTED_ORIGINS = [SITE_URL]
# gunicorn reads it, too; here the installation notices a wrong value before it switches.
env.integer("WEB_CONCURRENCY", 1, minimum=1, maximum=1000)

# Folder of the embedded database and broker, of mails and archives.
VAR_DIR = env.folder("VAR_DIR", default=BASE_DIR / "var")

# Applications

INSTALLED_APPS = [
    "blog",
    "tasks",
    "staff",
    "exports",
    "imports",
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
TEST_RUNNER = "dev.pytest_runner.PytestRunner"

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
    "default": env.database("DATABASE_URL", default=VAR_DIR / "db.sqlite3")
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
    DATABASES["default"]["CONN_MAX_AGE"] = env.integer(
        "CONN_MAX_AGE", 60, minimum=0, maximum=86_400
    )
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Broker and cache: one Redis or Valkey, database 0 for the queue and 1 for the cache

REDIS_URL = env.redis("REDIS_URL", default=socket_url(broker_socket(VAR_DIR)))
REDIS_CACHE_DB = env.integer("REDIS_CACHE_DB", 1, minimum=0, maximum=9999)
if redis_database(REDIS_URL) == REDIS_CACHE_DB:
    raise InvalidVariable(
        "REDIS_CACHE_DB",
        str(REDIS_CACHE_DB),
        f"any number but {REDIS_CACHE_DB}, the database that REDIS_URL names for the queue",
    )

CACHES = {
    "default": {
        "BACKEND": "microblog.cache.FailOpenRedisCache",
        # A list, because Django would split a string at the commas of a path or password.
        "LOCATION": [redis_url(REDIS_URL, db=REDIS_CACHE_DB, socket_timeout=1)],
        "OPTIONS": {"serializer": "microblog.cache.JSONSerializer"},
    },
    # Counts wrong passwords and codes in the database while the first cache is unavailable.
    "guesses": {"BACKEND": "blog.accounts.guess_cache.GuessCache"},
    # Counts polls in each process, so that polling does not depend on the broker.
    "process": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
}

EXPORT_JOB_TIMEOUT = env.integer("EXPORT_JOB_TIMEOUT", 3600, minimum=1, maximum=604_800)

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
SEVERAL_HOSTS = env.boolean("SEVERAL_HOSTS", default="DYNO" in os.environ)

# Exports

EXPORT_LEASE_SECONDS = env.number("EXPORT_LEASE_SECONDS", 20, minimum=0.1, maximum=3600)
EXPORT_TICK_SECONDS = env.number("EXPORT_TICK_SECONDS", 5, minimum=0.01, maximum=900)
# Rows per second; 0: unlimited
EXPORT_MAX_RATE = env.integer("EXPORT_MAX_RATE", 0, minimum=0, maximum=1_000_000_000)
# Bytes of the encoded mail
EXPORT_MAIL_LIMIT = env.integer(
    "EXPORT_MAIL_LIMIT", 10_000_000, minimum=1000, maximum=1_000_000_000
)
EXPORT_KEEP_DAYS = env.number("EXPORT_KEEP_DAYS", 7, minimum=0.001, maximum=3650)
# Seconds from a success to the next request
EXPORT_COOLDOWN = env.number("EXPORT_COOLDOWN", 600, minimum=0, maximum=31_536_000)
# Bytes of free disk space below which no build starts
EXPORT_MIN_FREE = env.integer("EXPORT_MIN_FREE", 200_000_000, minimum=0, maximum=10**15)
# Internal location in nginx
EXPORT_ACCEL_PREFIX = env.text(
    "EXPORT_ACCEL_PREFIX",
    pattern=r"/[\w./-]*",
    allowed="the path of a location in nginx, for example /archives",
)

# Imports

# Bytes of an upload
IMPORT_MAX_BYTES = env.integer(
    "IMPORT_MAX_BYTES", 200 * 1024 * 1024, minimum=1000, maximum=10_000_000_000
)
# Uploads that are received at the same time
IMPORT_MAX_UPLOADS = env.integer("IMPORT_MAX_UPLOADS", 4, minimum=1, maximum=1000)
# Posts that one import may add
IMPORT_MAX_POSTS = env.integer("IMPORT_MAX_POSTS", 100_000, minimum=1, maximum=1_000_000)
# Days from signing up to the first confirmed import
IMPORT_MIN_ACCOUNT_AGE_DAYS = env.number("IMPORT_MIN_ACCOUNT_AGE_DAYS", 1, minimum=0, maximum=3650)

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

RATE_LIMITS = env.boolean("RATE_LIMITS", default=True)  # of blog.rate_limits

MFA_ADAPTER = "blog.accounts.adapter.MFAAdapter"
MFA_FORMS = {
    "authenticate": "blog.accounts.forms.MFAForm",
    "reauthenticate": "blog.accounts.forms.ReauthenticateMFAForm",
    "activate_totp": "blog.accounts.forms.ActivateMFAForm",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Microblog"
MFA_TOTP_TOLERANCE = 1  # periods of 30 s before and after, because clocks of phones are wrong
STAFF_SECOND_FACTOR = env.boolean("STAFF_SECOND_FACTOR", default=not DEBUG)  # MFA for the admin

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

MAIL_SERVER = env.mail_server("EMAIL_URL")
EMAIL_HOST = MAIL_SERVER.get("EMAIL_HOST", "localhost")
EMAIL_PORT = MAIL_SERVER.get("EMAIL_PORT", 25)
EMAIL_HOST_USER = MAIL_SERVER.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = MAIL_SERVER.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = MAIL_SERVER.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = MAIL_SERVER.get("EMAIL_USE_SSL", False)
EMAIL_BACKEND = env.text(
    "EMAIL_BACKEND",
    "django.core.mail.backends.console.EmailBackend"
    if DEBUG and not MAIL_SERVER
    else "microblog.smtp.EmailBackend",
    pattern=r"[A-Za-z_]\w*(\.\w+)+",
    allowed="a mail backend of Django, for example anymail.backends.postmark.EmailBackend",
)
# Whether an operator chose how mails leave, for `microblog.checks`.
HAS_MAIL_SERVER = bool(MAIL_SERVER) or "EMAIL_BACKEND" in os.environ
EMAIL_TIMEOUT: float = 10
EMAIL_SUBJECT_PREFIX = "[Microblog] "
ANYMAIL = anymail_settings(os.environ) | {"REQUESTS_TIMEOUT": EMAIL_TIMEOUT}
DEFAULT_FROM_EMAIL = env.sender(
    "DEFAULT_FROM_EMAIL", default=f"Microblog <noreply@{SITE.mail_domain}>"
)
SERVER_EMAIL = DEFAULT_FROM_EMAIL
ADMINS = [("", address) for address in env.addresses("ADMINS")]

# Files: static files are public, archives are private

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Whether `collectstatic` hashes and compresses the files, or they are served from static/.
STATIC_COLLECTED = env.boolean("STATIC_COLLECTED", default=not DEBUG)
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not STATIC_COLLECTED

EXPORT_BUCKET = env.text(
    "EXPORT_BUCKET",
    pattern=r"[A-Za-z0-9][A-Za-z0-9.-]{1,61}[A-Za-z0-9]|arn:[\w:/.-]+",
    allowed="the name of a bucket, without s3:// and without a folder",
)
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
                s3={
                    "addressing_style": env.choice(
                        "EXPORT_BUCKET_STYLE", "auto", ("auto", "path", "virtual")
                    )
                },
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

SECURE_SSL_REDIRECT = env.boolean("HTTPS", default=not DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SECURE_SSL_REDIRECT
HSTS_SECONDS = env.integer("HSTS_SECONDS", 31_536_000, minimum=0, maximum=315_360_000)
if SECURE_SSL_REDIRECT:
    SECURE_HSTS_SECONDS = HSTS_SECONDS
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME, LANGUAGE_COOKIE_NAME, MESSAGES_COOKIE_NAME = (
    SITE.cookie_name(name, is_secure=SECURE_SSL_REDIRECT)
    for name in ("sessionid", "csrftoken", "django_language", "messages")
)
MESSAGE_STORAGE = "microblog.storage.MessageStorage"
BEHIND_PROXY = env.boolean("BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    ALLAUTH_TRUSTED_PROXY_COUNT = 1
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
# HSTS preload binds every subdomain for years, so it is left to the owner of the domain.
SILENCED_SYSTEM_CHECKS = ["security.W021"]

SECURITY_CONTACT = env.text(
    "SECURITY_CONTACT",
    pattern=r"[^@\s:]+@[^@\s]+|(https://|mailto:|tel:)\S+",
    allowed="an email address or URL for security reports",
)

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

LOG_FORMAT = env.choice("LOG_FORMAT", "plain" if DEBUG else "json", ("json", "plain"))
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
# Seconds between mails of one error
ADMIN_MAIL_PAUSE = env.integer("ADMIN_MAIL_PAUSE", 600, minimum=0, maximum=604_800)
# Mails about errors per hour
ADMIN_MAIL_HOURLY = env.integer("ADMIN_MAIL_HOURLY", 20, minimum=0, maximum=10_000)
METRICS_TOKEN = env.text("METRICS_TOKEN")

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
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": ["mail_admins"], "level": "INFO"},
        # Scanners send arbitrary Host headers, and an operator cannot do anything about it.
        "django.security.DisallowedHost": {"handlers": ["console"], "propagate": False},
        **{
            name: {"handlers": ["mail_admins"]}
            for name in ("api", "blog", "exports", "imports", "microblog", "staff", "tasks")
        },
        "rq.worker": {"handlers": ["mail_admins"]},  # a job's exception
        # gunicorn adds handlers to its loggers and turns their propagation off.
        "gunicorn.error": {"level": "INFO", "propagate": True},
        "gunicorn.access": {"level": "WARNING"},  # replaced by microblog.access, without secrets
    },
}

if SENTRY_DSN := env.sentry_dsn("SENTRY_DSN"):
    from . import sentry

    sentry.init(
        dsn=SENTRY_DSN,
        environment=env.text("SENTRY_ENVIRONMENT", "production"),
        release=env.text("SENTRY_RELEASE"),
    )
