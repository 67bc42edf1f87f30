"""The least that an app needs to gate its pages; the address and the key come from the environment."""

import os
import secrets
from pathlib import Path

PLANARIUM_URL = os.environ["PLANARIUM_URL"]
PLANARIUM_KEY = os.environ["PLANARIUM_KEY"]  # needs the scope entitlements:read, and no other
CUSTOMER = os.environ.get("CUSTOMER", "fjordlys")

SECRET_KEY = secrets.token_urlsafe(50)
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = []
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
TEMPLATES = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [Path(__file__).parent / "templates"]}
]
USE_TZ = True
