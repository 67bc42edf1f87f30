"""The project's settings in testing mode, whatever the shell says; pytest reads them before any conftest."""

import os

os.environ["TESTING"] = "1"

from config.settings import *  # noqa: F403 - the whole of them, once the mode is set

# Static files are looked up when asked for, instead of all of them each time a test makes a client.
WHITENOISE_AUTOREFRESH = True
