"""Settings, read from the environment; every variable is described in `.env.example`."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from csp.constants import NONCE, NONE, SELF
from environs import Env

BASE_DIR = Path(__file__).resolve().parent.parent


def origin_of(address: str) -> str:
    """Returns scheme and host of an address, as a Content-Security-Policy names them."""
    return "://".join(urlsplit(address)[:2])


env = Env()
if not env.bool("TESTING", False):  # tests answer the same on every machine
    env.read_env(str(BASE_DIR / ".env"))

# ── Mode ────────────────────────────────────────────────────────────────────
DEBUG = env.bool("DEBUG", False)
DEMO = env.bool("DEMO", False)
TESTING = env.bool("TESTING", False)
SECRET_KEY = env.str("SECRET_KEY", "insecure-development-key" if DEBUG or DEMO or TESTING else "")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
BEHIND_TLS = env.bool("BEHIND_TLS", not (DEBUG or DEMO or TESTING))

# ── Planarium ───────────────────────────────────────────────────────────────
# The licence owner whose packages Planarium itself issues.
OWN_OWNER = env.str("OWN_OWNER", "SUPEROFFICE")
# With four-eyes on, whoever edited a draft since the last publication can't publish it.
FOUR_EYES = env.bool("FOUR_EYES", False)
# The product version that packages are issued for.
LICENSE_VERSION = env.str("LICENSE_VERSION", "1.0")
# The private Ed25519 key that packages are signed with: the key itself, or a file with it; never in the database. A
# demo, and whoever develops, has one made under var/.
SIGNING_KEY = env.str("SIGNING_KEY", "aW5zZWN1cmUga2V5IGZvciB0ZXN0cywgMzIgYnl0ZXM=" if TESTING else "")
SIGNING_KEY_FILE = env.str("SIGNING_KEY_FILE", str(BASE_DIR / "var" / "signing-key.pem") if DEBUG or DEMO else "")
# How long an API key may be remembered by a worker: a revoked key dies within this time.
API_KEY_MEMORY_SECONDS = env.float("API_KEY_MEMORY_SECONDS", 1.0)
# How often the collected "last used" of API keys is written; 0: only when asked for.
KEY_USE_WRITTEN_EVERY_SECONDS = env.float("KEY_USE_WRITTEN_EVERY_SECONDS", 0 if TESTING else 30)
# What the worker does besides, and every how many seconds: called with `now` and `is_stopping`.
WORKER_STEPS = {
    "customers.delivering.deliver_events": 0,
    "customers.delivering.prune_events": 3600,
    "licensing.services.sweeping.sweep": 10,
    "licensing.services.noticing.send_notices": 3600,
    "licensing.services.user_lists.prune_lists": 300,
    "licensing.services.bulk.prune_previews": 3600,
}

# What delivers which topic of the outbox.
OUTBOX_HANDLERS = {
    "mail": "customers.outbox.send_mail",
    "impact": "licensing.services.impacting.deliver_impact",
    "migration": "licensing.services.moving.deliver_migration",
    "change_sets": "licensing.services.bulk_worker.deliver_changes",
}
# Seconds in which a receiver of events has to answer; whether it may be in a private network, and without TLS.
WEBHOOK_TIMEOUT = env.float("WEBHOOK_TIMEOUT", 15.0)
# By how many threads events are posted (on PostgreSQL).
WEBHOOK_THREADS = 1 if TESTING else env.int("WEBHOOK_THREADS", 4)
WEBHOOK_ALLOW_PRIVATE = env.bool("WEBHOOK_ALLOW_PRIVATE", DEMO)
# How much of its memory a worker gives to entitlement sets (immutable, mostly 5 to 10 kB each).
SET_MEMORY_MB = env.int("SET_MEMORY_MB", 8)
# On SQLite: where a long change of seats tells how far it is, for the server and the worker to share.
PROGRESS_DIR = env.path("PROGRESS_DIR", BASE_DIR / "var" / "progress")

# ── Applications ────────────────────────────────────────────────────────────
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
    "config.apps.TaskAdminConfig",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "csp",
    "django_htmx",
    "django_structlog",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "customers",
    "catalog",
    "licensing",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.headers.NothingOfTheDevice",
    "config.pages.GZipPages",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.logs.RequestMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.sessions.LastSeen",
    "config.second_step.SecondStepFirst",
    "config.errors.RefusalPages",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"  # inputs are drawn by templates/, too
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
                "config.navigation.navigation",
            ]
        },
    }
]

# ── Databases ───────────────────────────────────────────────────────────────
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
_default: dict[str, Any] = env.dj_db_url("DATABASE_URL", f"sqlite:///{BASE_DIR / 'var' / 'planarium.sqlite3'}")
if _default["ENGINE"].endswith("sqlite3"):
    _default["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    # Persistent connections keep the prepared statement of the hot read (licensing/reading.py) alive.
    _default |= {"CONN_MAX_AGE": env.int("CONN_MAX_AGE", 600), "OPTIONS": {"prepare_threshold": 5}}
    _default["TEST"] = {"NAME": f"test_planarium_{env.str('TEST_DB', 'main')}"}
DATABASES = {"default": _default | {"ATOMIC_REQUESTS": False}}
# A copy that follows the primary: for lists, reports, and reads that carry min_revision (customers/replica.py).
_replica = env.str("DATABASE_REPLICA_URL", "")
if _replica:
    _copy = {"CONN_MAX_AGE": _default.get("CONN_MAX_AGE", 0), "OPTIONS": dict(_default.get("OPTIONS", {}))}
    DATABASES["replica"] = env.dj_db_url("DATABASE_REPLICA_URL") | _copy | {"TEST": {"MIRROR": "default"}}
    DATABASE_ROUTERS = ["customers.replica.ReplicaRouter"]
    MIDDLEWARE.append("customers.replica.RememberWriters")
# Lists come from the primary while the replica is further behind than this,
REPLICA_MAX_LAG_SECONDS = env.float("REPLICA_MAX_LAG_SECONDS", 10.0)
# and for so long after the caller's own last write.
REPLICA_AFTER_WRITE_SECONDS = env.int("REPLICA_AFTER_WRITE_SECONDS", 15)

_cache_url = env.str("CACHE_URL", "")
CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": _cache_url,
        # A cache that hangs holds no call up for longer; what it counts goes uncounted then.
        "OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 0.5},
    }
    if _cache_url
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 50_000}}
}

# ── People ──────────────────────────────────────────────────────────────────
AUTH_USER_MODEL = "customers.Account"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "customers.adapter.AccountAdapter"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Planarium: "
# How often somebody may try, per address of the network (ip), address of mail (key) or account (user).
ACCOUNT_RATE_LIMITS: Any = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "reset_password": "20/m/ip,5/m/key",
    "reset_password_from_key": "20/m/ip",
    "reauthenticate": "10/m/user",
    "change_password": "5/m/user",
    "signup": "20/m/ip",
}
# How many proxies in front of the server add to X-Forwarded-For, so that limits know who asks.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", 1 if BEHIND_TLS else 0)
MFA_ADAPTER = "customers.adapter.SecondStepAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Planarium"
MFA_TOTP_TOLERANCE = 1  # a code still counts half a minute later: people type slowly, and clocks differ
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG or DEMO or TESTING  # plain HTTP, which browsers take on localhost only
# Whether our own people reach anything without a second step.
SECOND_STEP_FOR_STAFF = env.bool("SECOND_STEP_FOR_STAFF", False)
# How often it is written down when a session was last used; 0: only at sign-in.
SESSION_USE_WRITTEN_EVERY_SECONDS = env.int("SESSION_USE_WRITTEN_EVERY_SECONDS", 0 if TESTING else 300)
# One provider to sign in with besides, by OpenID Connect; without an issuer there is none.
OIDC_ISSUER = env.str("OIDC_ISSUER", "")
OIDC_NAME = env.str("OIDC_NAME", "your company’s sign-in")
OIDC_ORIGINS: list[str] = env.list("OIDC_ORIGINS", [])
SOCIALACCOUNT_ADAPTER = "customers.oidc.ProviderAdapter"
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "company",
                "name": OIDC_NAME,
                "client_id": env.str("OIDC_CLIENT_ID", ""),
                "secret": env.str("OIDC_CLIENT_SECRET", ""),
                "settings": {"server_url": OIDC_ISSUER},
            }
        ]
        if OIDC_ISSUER
        else [],
    }
}
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    ACCOUNT_RATE_LIMITS = False

# ── Language and time ───────────────────────────────────────────────────────
LANGUAGE_CODE = "en"
USE_I18N = True
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "config.formats"
USE_TZ = True

# ── Static files ────────────────────────────────────────────────────────────
STATIC_URL = "static/"
STATIC_ROOT = env.path("STATIC_ROOT", BASE_DIR / "var" / "static")
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or DEMO or TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_USE_FINDERS = DEBUG or DEMO or TESTING

# ── Mail ────────────────────────────────────────────────────────────────────
_mail = env.dj_email_url("EMAIL_URL", "console://")
globals().update(_mail)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Planarium <planarium@localhost>")

# ── Safety ──────────────────────────────────────────────────────────────────
_policy: dict[str, Any] = {
    "default-src": [SELF],
    "script-src": [SELF, NONCE],
    "style-src": [SELF, NONCE],
    "img-src": [SELF, "data:"],
    "object-src": [NONE],
    "base-uri": [SELF],
    # The button that leads to the provider is a form, and browsers hold its redirect to this.
    "form-action": [SELF, *(OIDC_ORIGINS or ([origin_of(OIDC_ISSUER)] if OIDC_ISSUER else []))],
    "frame-ancestors": [NONE],
}
CONTENT_SECURITY_POLICY = {"DIRECTIVES": _policy}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = BEHIND_TLS
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz)$"]  # the orchestrator asks inside the TLS proxy
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = BEHIND_TLS
if BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# The largest body an API call or form may have, in bytes: a pasted list of 10,000 users fits.
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("MAX_BODY_BYTES", 5_000_000)

# ── API ─────────────────────────────────────────────────────────────────────
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "customers.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["customers.api.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["customers.throttling.PerCallerThrottle"],
    "DEFAULT_THROTTLE_RATES": {"caller": env.str("API_RATE", "6000/min")},
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["customers.api.parsers.StrictJSONParser"],
    "NUM_PROXIES": ALLAUTH_TRUSTED_PROXY_COUNT,  # a header that anybody can send names nobody
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_FILTER_BACKENDS": ["customers.api.filters.StrictFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "customers.api.pagination.CodePagination",
    "DEFAULT_SCHEMA_CLASS": "customers.api.schema.ScopedSchema",
    "EXCEPTION_HANDLER": "config.errors.problem_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Planarium",
    "VERSION": "1",
    "DESCRIPTION": "What may this user do now, and why?",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "PackageStateEnum": "licensing.models.Package.State",
        "LicenseTypeEnum": "licensing.models.ModuleLicense.Type",
        "LicenseTypeNameEnum": "licensing.api.superoffice_serializers.TYPES",
        "MemberRoleEnum": "customers.models.Membership.Role",
        "UsageStateEnum": "licensing.usage.UsageState",
        "ChangePreviewStateEnum": "licensing.models.ChangePreview.State",
        "ChangePreviewModeEnum": "licensing.models.ChangePreview.Mode",
        "ChangePreviewKindEnum": "licensing.models.ChangePreview.Kind",
        "KindEnum": "catalog.api.serializers._KINDS",
    },
    "COMPONENT_SPLIT_REQUEST": True,
    "PATH_CONVERTER_OVERRIDES": {"code": str},
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "config.described.describe"],
}

# ── Logs ────────────────────────────────────────────────────────────────────
_console_logs = DEBUG or DEMO or TESTING
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processor": structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
            if _console_logs
            else structlog.processors.JSONRenderer(),
            "foreign_pre_chain": [
                structlog.contextvars.merge_contextvars,
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.stdlib.add_log_level,
            ],
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "WARNING" if _console_logs else "INFO")},
}
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.stdlib.filter_by_level,
        structlog.stdlib.add_log_level,
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
