"""All settings. The environment is read here and nowhere else; README.md lists what a merchant may set.

Times are timedelta unless the name says otherwise, money is integer minor units.
"""

import hashlib
import hmac
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy

from quantasneaks.logs import logging_config
from quantasneaks.paths import DataDir

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent


def seconds(name: str, default: float) -> timedelta:
    """A setting that is a time, given in seconds."""
    return timedelta(seconds=env.float(name, default))


# --- mode -----------------------------------------------------------------------------------------
MODE = env.str("QS_MODE", "demo")
if MODE not in {"demo", "production"}:
    raise ImproperlyConfigured(f"QS_MODE must be demo or production, not {MODE!r}.")
DEMO = MODE == "demo"
DEBUG = env.bool("DEBUG", False)
DATA_DIR = DataDir(Path(env.str("QS_DATA_DIR", str(BASE_DIR / ".data"))).resolve())

SHORTEST_SECRET = 50  # characters; what `check --deploy` asks for


def secret(name: str, *, prefix: str = "") -> str:
    """A secret from the environment; the demo makes and keeps one where none is given."""
    given: str = env.str(name, "")
    if given or not DEMO:
        return given
    return DATA_DIR.secret(name.lower(), prefix)


def refuse(setting: str, why: str) -> None:
    """Production does not start with a setting that would be unsafe."""
    raise ImproperlyConfigured(f"{setting}: {why} (QS_MODE=production)")


SECRET_KEY = secret("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])  # older ones whose log-ins still count
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEMO else [])

# --- addresses ------------------------------------------------------------------------------------
PORT = env.int("PORT", 8000)
FLOWER_PORT = env.int("FLOWER_PORT", 5555)
BIND = env.str("BIND", "127.0.0.1")
# What customers type; stands in mails and in the provider's way back.
PUBLIC_URL = (
    env.str("QS_PUBLIC_URL", "")
    or (f"http://127.0.0.1:{PORT}" if DEMO else f"https://{ALLOWED_HOSTS[0] if ALLOWED_HOSTS else ''}")
).rstrip("/")
# Where our own processes reach the web process: only the demo's PayLab and carrier need it.
INTERNAL_URL = env.str("QS_INTERNAL_URL", f"http://127.0.0.1:{PORT}").rstrip("/")

# --- the sale -------------------------------------------------------------------------------------
PAYMENT_TIMEOUT = seconds("QS_PAYMENT_TIMEOUT", 3600)  # to pay, from entering awaiting_payment
APPROVAL_TIMEOUT = seconds("QS_APPROVAL_TIMEOUT", 86400)  # to decide, from entering awaiting_approval
SWEEP_INTERVAL = seconds("QS_SWEEP_INTERVAL", 1)  # how often beat looks for due deadlines and unsent work
WORKERS = env.int("QS_WORKERS", 2)  # worker processes
# Approvals from this score on take two people; None turns it off.
FOUR_EYES_SCORE = env.int("QS_FOUR_EYES_SCORE") if env.str("QS_FOUR_EYES_SCORE", "") else None
CLAIM_RATE = env.int("QS_CLAIM_RATE", 60)  # claims a minute per client address; 0 turns it off
try:  # addresses or networks
    TRUSTED_PROXIES = [ip_network(text) for text in env.list("QS_TRUSTED_PROXIES", default=["127.0.0.1", "::1"])]
except ValueError as error:
    raise ImproperlyConfigured(f"QS_TRUSTED_PROXIES: {error}") from error
METRICS_TOKEN = env.str("QS_METRICS_TOKEN", "")  # empty: /metrics answers loopback only
NEW_STAFF_PASSWORD = env.str("QS_NEW_STAFF_PASSWORD", "")  # what setup_staff gives where it cannot ask for one
STAFF_PASSWORD = secret("QS_STAFF_PASSWORD")  # of the demo log-ins, and of Flower in either mode

# --- money ----------------------------------------------------------------------------------------
PAYMENT_PROVIDER = env.str("PAYMENT_PROVIDER", "paylab")
if PAYMENT_PROVIDER not in {"paylab", "stripe"}:
    raise ImproperlyConfigured(f"PAYMENT_PROVIDER must be paylab or stripe, not {PAYMENT_PROVIDER!r}.")
PAYLAB = PAYMENT_PROVIDER == "paylab"
PAYLAB_API_KEY = secret("PAYLAB_API_KEY", prefix="sk_test_paylab_") if PAYLAB else ""
PAYLAB_WEBHOOK_SECRET = secret("PAYLAB_WEBHOOK_SECRET", prefix="whsec_") if PAYLAB else ""
# The adapter knows only these; several webhook secrets (separated by commas) allow a rotation.
PAYMENT_API_KEY = PAYLAB_API_KEY if PAYLAB else env.str("STRIPE_API_KEY", "")
PAYMENT_API_BASE = f"{INTERNAL_URL}/paylab" if PAYLAB else env.str("STRIPE_API_BASE", "") or "https://api.stripe.com"
PAYMENT_WEBHOOK_SECRETS = [PAYLAB_WEBHOOK_SECRET] if PAYLAB else env.list("STRIPE_WEBHOOK_SECRET", default=[])
# Stripe wants a page to stay open for at least 30 minutes; PayLab takes any time. We close it at the deadline.
PAYMENT_PAGE_MINIMUM = timedelta(0) if PAYLAB else timedelta(minutes=31)

# --- parcels --------------------------------------------------------------------------------------
# An HTTP carrier (the demo's ParcelLab or your gateway to a real one); empty: staff write the label by hand.
CARRIER_API_BASE = (env.str("CARRIER_API_BASE", "") or (f"{INTERNAL_URL}/parcellab" if DEMO else "")).rstrip("/")
CARRIER_API_KEY = secret("CARRIER_API_KEY", prefix="pl_")
PARCELLAB = f"{INTERNAL_URL}/parcellab" == CARRIER_API_BASE

# --- unsafe production settings fail here, by name -----------------------------------------------
if not DEMO:
    if PAYLAB:
        refuse("PAYMENT_PROVIDER", "PayLab moves no real money; set it to stripe")
    if len(SECRET_KEY) < SHORTEST_SECRET or SECRET_KEY.startswith("django-insecure-") or len(set(SECRET_KEY)) < 5:
        refuse("SECRET_KEY", f"set your own, at least {SHORTEST_SECRET} characters")
    if not ALLOWED_HOSTS:
        refuse("ALLOWED_HOSTS", "name the shop's host")
    if not PAYMENT_API_KEY:
        refuse("STRIPE_API_KEY", "the provider's key is missing")
    if not PAYMENT_WEBHOOK_SECRETS:
        refuse("STRIPE_WEBHOOK_SECRET", "the provider's signing secret is missing")
    if not env.str("EMAIL_URL", ""):
        refuse("EMAIL_URL", "name the mail server; file:///<folder> writes mails to files")
    if DEBUG:
        refuse("DEBUG", "must be off")

# What must outlive a change of SECRET_KEY is made from this: payments and hashed signals of open orders refer to it.
SHOP_KEY = env.str("QS_SHOP_KEY", "") or SECRET_KEY
# Tells this shop's payments from a stranger's on the same account.
SHOP_ID = hmac.new(SHOP_KEY.encode(), b"shop", hashlib.sha256).hexdigest()[:16]
# A table by train_risk_model that scores in place of the rules; where it cannot be read they stand in.
RISK_MODEL = Path(path) if (path := env.str("QS_RISK_MODEL", "")) else None
# This share of the orders, 0 to 1, is reviewed without the score, so that a model can learn from what people say by
# themselves; 0.02 to 0.05 serve, see docs/decisions/0010.
RISK_EXPLORATION = env.float("QS_RISK_EXPLORATION", 0.0)
# A language model behind an OpenAI-compatible API that puts scores into words; empty: the shop's own words serve.
ANALYST_URL = env.str("QS_ANALYST_URL", "").rstrip("/")
ANALYST_KEY = env.str("QS_ANALYST_KEY", "")
ANALYST_MODEL = env.str("QS_ANALYST_MODEL", "")
if ANALYST_URL and not ANALYST_MODEL:
    raise ImproperlyConfigured("QS_ANALYST_MODEL: name the model that QS_ANALYST_URL is to run.")
ANALYST_TIMEOUT = timedelta(seconds=8)  # for an explanation, both tries together
ANALYST_FAILURES, ANALYST_PAUSE = 3, timedelta(minutes=5)  # after so many in a row it is left alone for so long
RISK_COUNTS_CARDS = not (PAYLAB or "_test_" in PAYMENT_API_KEY)  # everybody pays with the same few test cards
# Outside the database: whoever steals a dump cannot turn the hashed signals back into addresses.
RISK_PEPPER = hmac.new(SHOP_KEY.encode(), b"risk-pepper", hashlib.sha256).digest()

# --- Django ---------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",  # before the admin, whose templates it replaces
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "csp",
    "axes",
    "orders",
    "fulfillment",
    *(["orders.payments.paylab"] if PAYLAB else []),
    *(["orders.shipping.parcellab"] if PARCELLAB else []),
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "fulfillment.csp.AdminCSPMiddleware",  # django-csp's, with one hole for the admin's own script
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # turns a log-in that must wait into its page; asks nothing of the database
]
# The first only says who must wait; people, passwords and permissions are the second's.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # nobody locks a colleague out from elsewhere
AXES_CLIENT_IP_CALLABLE = "quantasneaks.addresses.client_address"
AXES_FAILURE_LIMIT = 5  # wrong passwords until a log-in waits
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # who waits is not counted: no row grows, no wait is prolonged
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True  # Django's last_login is enough
AXES_LOCKOUT_CALLABLE = "fulfillment.logins.wait"
AXES_ENABLE_ADMIN = False  # shown in our own clothes, see fulfillment/admin/people.py
AXES_VERBOSE = False
ROOT_URLCONF = "quantasneaks.urls"
WSGI_APPLICATION = "quantasneaks.wsgi.application"
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
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

# --- database -------------------------------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **env.db_url_config(env.str("DATABASE_URL", DATA_DIR.database_url)),
        # Kept per thread; a new connection for each request halves the claims a second.
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }
}
DATABASES["default"].setdefault("OPTIONS", {}).update(
    {
        # A database that does not answer must not hang a request or a worker for minutes.
        "connect_timeout": 5,
        # PostgreSQL plans a statement that a session asks again and again once; it took as long to plan as to run.
        "server_side_binding": True,
        "prepare_threshold": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
)

# --- Celery ---------------------------------------------------------------------------------------
# The database row is the truth and Redis a doorbell, so every setting here only decides how soon it rings.
REDIS_URL = env.str("REDIS_URL", f"redis+socket://{DATA_DIR.valkey_socket}")
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker outlives any outage of Redis
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,  # our tasks are short (T3)
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 1,
    "socket_timeout": 5,  # a frozen Redis must not hold a publisher for ever (T8)
    "retry_on_timeout": False,
    "health_check_interval": 5,
}
CELERY_TASK_IGNORE_RESULT = True  # no result back-end: the state is in the order's row (T17)
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_TASK_ACKS_LATE = True  # T2
CELERY_TASK_REJECT_ON_WORKER_LOST = True  # T4
CELERY_TASK_PUBLISH_RETRY = False  # the sweep rings again
CELERY_TASK_TIME_LIMIT = 120  # seconds; a step stuck for that long is killed and taken up again
CELERY_TASK_DEFAULT_QUEUE = "orders"
CELERY_TASK_ROUTES = {
    "orders.sweep": {"queue": "sweep"},
    "orders.send_*": {"queue": "mails"},  # a slow mail server must not hold up payments (T18)
    "orders.explain_*": {"queue": "analyst"},  # nor a slow language model anything else
}
CELERY_TASK_SEND_SENT_EVENT = False
CELERY_WORKER_SEND_TASK_EVENTS = True  # what Flower shows
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True  # T14
CELERY_WORKER_ETA_TASK_LIMIT = 1000  # T12; nothing here uses an ETA
CELERY_WORKER_MAX_TASKS_PER_CHILD = 10_000  # T16
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000  # kB
CELERY_WORKER_ENABLE_REMOTE_CONTROL = True  # Flower asks workers through it
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
CELERY_BEAT_SCHEDULER = "quantasneaks.beat:Scheduler"
# Seconds. What piles up while no worker is there is bounded; a worker's clock may be wrong by minutes.
BEAT_OPTIONS = {"expires": 3600.0}
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "orders.sweep", "schedule": SWEEP_INTERVAL, "options": BEAT_OPTIONS},
    "read_events": {"task": "orders.read_events", "schedule": timedelta(seconds=30), "options": BEAT_OPTIONS},
    "reconcile": {"task": "orders.reconcile", "schedule": timedelta(days=1), "options": BEAT_OPTIONS},
    "purge": {"task": "orders.purge", "schedule": timedelta(hours=1), "options": BEAT_OPTIONS},
}

# --- mail -----------------------------------------------------------------------------------------
# Written to QS_DATA_DIR/mails as .eml files unless EMAIL_URL names a server (smtp+tls://user:pass@host:587).
EMAIL_CONFIG = env.email_url("EMAIL_URL", default="") if env.str("EMAIL_URL", "") else {}
vars().update(EMAIL_CONFIG)
EMAIL_BACKEND = EMAIL_CONFIG.get("EMAIL_BACKEND", "orders.notifications.eml.EmlBackend")
EMAIL_TIMEOUT = 10  # seconds
ADMINS = [("Ops", address) for address in env.list("QS_ALERT_EMAIL", default=[])]  # told when the ledger differs
DEFAULT_FROM_EMAIL = env.str("QS_MAIL_FROM", "QuantaSneaks <shop@quantasneaks.example>")

# --- pages ----------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEMO  # the demo serves from the source tree, production what collectstatic made
MEDIA_URL = "pictures/"  # served by orders/storefront/pictures.py
MEDIA_ROOT = DATA_DIR.pictures  # in backups, beside the database
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEMO
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024  # bytes; a claim is under 2 kB, a provider's event under 20
LARGEST_CLAIM = 16 * 1024  # bytes

# --- security -------------------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEMO
SECURE_SSL_REDIRECT = not DEMO
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]  # asked by probes inside the network
SECURE_HSTS_SECONDS = 0 if DEMO else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEMO
SECURE_PROXY_SSL_HEADER = None if DEMO else ("HTTP_X_FORWARDED_PROTO", "https")
CSRF_FAILURE_VIEW = "orders.storefront.views.csrf_failure"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL.startswith("https://") and ALLOWED_HOSTS else []
LOGIN_URL = "admin:login"

LOGGING = logging_config(debug=DEBUG)
LOGGING_CONFIG = "logging.config.dictConfig"

UNFOLD = {
    "SITE_TITLE": "QuantaSneaks",
    "SITE_HEADER": "QuantaSneaks",
    "SITE_URL": "/",
    "SITE_ICON": lambda _: static("favicon.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("favicon.svg")}],
    "SIDEBAR": {
        "show_all_applications": True,
        "navigation": [
            {
                "items": [
                    {
                        "title": title,
                        "icon": icon,
                        "link": reverse_lazy(page),
                        "permission": lambda request, permission=permission: request.user.has_perm(permission),
                    }
                    for title, icon, page, permission in (
                        ("Review desk", "fact_check", "fulfillment:desk", "fulfillment.decide_review"),
                        ("Dashboard", "monitoring", "dashboard:sale", "orders.view_order"),
                        ("Insider watch", "policy", "dashboard:insiders", "orders.view_claimsignals"),
                        ("Drift", "troubleshoot", "dashboard:drift", "orders.view_evidence"),
                        ("Packing", "package_2", "packing:index", "fulfillment.pack_orders"),
                        ("Orders", "receipt_long", "admin:orders_order_changelist", "orders.view_order"),
                        ("Decisions", "gavel", "admin:fulfillment_decision_changelist", "fulfillment.view_decision"),
                        ("Payments", "payments", "admin:orders_payment_changelist", "orders.view_payment"),
                        ("Journal", "history", "admin:orders_event_changelist", "orders.view_event"),
                        ("Work", "pending_actions", "admin:orders_work_changelist", "orders.view_work"),
                    )
                ]
            }
        ],
    },
}
