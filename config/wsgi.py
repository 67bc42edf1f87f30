import os

from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

from licensing.errors import NoSigningKey  # noqa: E402 - once Django is set up
from licensing.own_key import own_key  # noqa: E402 - likewise

try:
    own_key()
except NoSigningKey as missing:  # a server that could issue nothing does not start
    raise ImproperlyConfigured(f"{missing.message} {missing.next_action}") from missing
