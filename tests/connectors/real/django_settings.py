"""A django-helpdesk for tests: settings, addresses and the application in one file."""

import os

D = os.environ["DESK_DIR"]
SECRET_KEY = "desk-fixture"
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ, TIME_ZONE, SITE_ID = True, "UTC", 1
ROOT_URLCONF = __name__
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
STATIC_URL, MEDIA_URL, MEDIA_ROOT = "/static/", "/media/", D + "/media"
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.sites", "django.contrib.admin", "django.contrib.messages",
    "django.contrib.staticfiles", "django.contrib.humanize", "django_cleanup.apps.CleanupConfig",
    "rest_framework", "rest_framework.authtoken", "helpdesk.apps.HelpdeskConfig",
]  # fmt: skip
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]  # fmt: skip
_CONTEXT = ("django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages")  # fmt: skip
TEMPLATES = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
     "OPTIONS": {"context_processors": _CONTEXT}}
]  # fmt: skip
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": D + "/db.sqlite3",
                "OPTIONS": {"timeout": 20}}
}  # fmt: skip
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"]
}
HELPDESK_ACTIVATE_API_ENDPOINT = True
HELPDESK_TEAMS_MODE_ENABLED = False
HELPDESK_DEFAULT_SETTINGS = {}
HELPDESK_VALIDATE_ATTACHMENT_TYPES = False
EMAIL_BACKEND, EMAIL_FILE_PATH = "django.core.mail.backends.filebased.EmailBackend", D + "/outbox"


def __getattr__(name: str):
    """What needs the settings to be there first."""
    if name == "urlpatterns":
        from django.contrib import admin
        from django.urls import include, path, re_path
        from django.views.static import serve

        media = re_path(r"^media/(?P<path>.*)$", serve, {"document_root": MEDIA_ROOT})
        helpdesk = path("", include("helpdesk.urls", namespace="helpdesk"))
        return [path("admin/", admin.site.urls), helpdesk, media]
    if name == "application":
        from django.core.wsgi import get_wsgi_application

        return get_wsgi_application()
    raise AttributeError(name)
