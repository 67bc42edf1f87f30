"""The tests on the next Django, where a newer Python is at hand: `.tools/bin/uv tool run nox`."""

import nox

nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"


@nox.session(python=["3.12", "3.13", "3.14"])
def next_django(session: nox.Session) -> None:
    """The tests on SQLite with Django 6.1, which needs Python 3.12; pyproject.toml stays on the long-term release."""
    session.install("--require-hashes", "--requirement", "requirements-dev.lock")
    session.install("django>=6.1,<6.2")
    arguments = session.posargs or ["--ignore=tests/browser", "--numprocesses=2"]
    # What the next Django calls deprecated can only change once the present one is left.
    tolerant = ["-W", "default::DeprecationWarning", "-W", "default::PendingDeprecationWarning"]
    session.run("pytest", "--quiet", *tolerant, *arguments, env={"DATABASE_URL": "sqlite://:memory:"})
