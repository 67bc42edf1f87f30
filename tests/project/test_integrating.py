"""What the pages for integrators tell to type is typed, against a real server with the demo's data. Rule A-10."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

import pytest
import requests
from pytest_django.live_server_helper import LiveServer

from tests.project.demo_app import app_key
from tests.project.pages import ROOT, Block, Command, blocks, commands, excerpts, files, is_like

FOLDER = ROOT / "docs" / "integrating"
PAGES = [*sorted(FOLDER.glob("*.md")), ROOT / "docs" / "api.md"]
EXAMPLE = ROOT / "docs" / "examples" / "gate"
NODE_PACKAGES = (
    "@openfeature/server-sdk",
    "@openfeature/ofrep-provider",
    "@openfeature/web-sdk",
    "@openfeature/ofrep-web-provider",
)
RUN_WITH_SNAPSHOTS = "import base64, hashlib"  # tests/licensing/test_snapshots.py verifies with the very lines
OURS, THEIRS = "http://127.0.0.1:8000", "8001"  # the addresses that the pages name
PYTHON = f"""#!/bin/sh
exec {sys.executable} "$@"
"""
# Nothing is fetched for Python: what the pages install is there already, or the page is wrong.
PIP = f"""#!/bin/sh
shift
exec {sys.executable} -c 'import sys; from importlib.metadata import version; [version(n) for n in sys.argv[1:]]' "$@"
"""
# Fetched once for all pages; a page that names another package fails.
NPM = """#!/bin/sh
shift
for package in "$@"; do test -d "$NODE_PACKAGES/$package"; done
ln -sfn "$NODE_PACKAGES" node_modules
"""


@pytest.fixture
def key(transactional_db: None) -> str:
    """The key of an app; the catalog is the seed's, and Fjordlys is as in the demo."""
    return app_key()


@pytest.fixture(scope="session")
def node_packages(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Where the official JavaScript packages are, fetched as the machine's npm is set up to; none where it can't."""
    if not (shutil.which("node") and shutil.which("npm")):
        return None
    folder = tmp_path_factory.mktemp("node")
    fetch = ["npm", "install", "--no-audit", "--no-fund", "--no-save", "--silent", *NODE_PACKAGES]
    fetched = subprocess.run(fetch, check=False, capture_output=True, cwd=folder, timeout=120)
    return folder / "node_modules" if fetched.returncode == 0 else None


class Reader:
    """Somebody who reads a page in a folder of their own and types what it says."""

    def __init__(self, folder: Path, url: str, key: str, node_packages: Path | None) -> None:
        self.folder, self.url, self.port = folder, url, free_port()
        programs = folder / "bin"
        for name, text in {"pip": PIP, "npm": NPM, "python": PYTHON, "python3": PYTHON}.items():
            programs.mkdir(parents=True, exist_ok=True)
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        (folder / "docs").symlink_to(ROOT / "docs")
        (folder / "var").mkdir()
        (folder / "var" / "demo.json").write_text(f'{{"api_key": "{key}"}}')
        known = {"PLANARIUM_URL": url, "PLANARIUM_KEY": key, "NODE_PACKAGES": str(node_packages or "")}
        # The app of the example is not this project, and its Python is this one's.
        strange = {"DJANGO_SETTINGS_MODULE", "PYTHONPATH", "NO_PROXY", "no_proxy"}
        kept = {name: value for name, value in os.environ.items() if name not in strange}
        path = {"PATH": f"{programs}:{os.environ['PATH']}", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        self.environment = kept | known | path | {"PYTHONDONTWRITEBYTECODE": "1"}

    def read(self, page: Path) -> Iterator[str]:
        """Yields what does not go as the page says."""
        for name, text in files(page).items():
            (self.folder / name).write_text(self.here(text))
        with ExitStack() as servers:
            for command in commands(page):
                if command.is_server:
                    servers.enter_context(self.keeps_running(command))
                else:
                    yield from self.types(command)

    def here(self, text: str) -> str:
        return text.replace(OURS, self.url).replace(THEIRS, str(self.port))

    def types(self, command: Command) -> Iterator[str]:
        run = subprocess.run(
            ["/bin/sh", "-eu", "-c", self.here(command.text)],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment,
            timeout=120,
        )
        if run.returncode:
            yield f"{command.text}\nfails: {run.stderr}{run.stdout}"
        fault = command.fault(run.stdout)
        if fault:
            yield f"{command.text}\n{fault}\n{run.stderr}"

    @contextmanager
    def keeps_running(self, command: Command) -> Iterator[None]:
        *before, last = self.here(command.text).strip().splitlines()
        script = "\n".join([*before, f"exec {last}"])
        log = self.folder / "server.log"
        with log.open("w") as told:
            server = subprocess.Popen(
                ["/bin/sh", "-eu", "-c", script], cwd=self.folder, env=self.environment, stdout=told, stderr=told
            )
        try:
            wait_for(self.port, server, log)
            yield
        finally:
            server.terminate()
            server.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert server.poll() is None, log.read_text()
        time.sleep(0.05)
    pytest.fail(f"nobody listens: {log.read_text()}")


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the live server's threads keep their connections to the end
def test_every_command_of_the_pages(
    key: str, live_server: LiveServer, node_packages: Path | None, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for page in PAGES:
        with subtests.test(page=page.name):
            if node_packages is None and any(command.text.startswith("npm ") for command in commands(page)):
                pytest.skip("node, or what npm would fetch, is not there")
            reader = Reader(tmp_path / page.stem, live_server.url, key, node_packages)
            faults = "\n\n".join(reader.read(page))
            assert not faults, faults


@pytest.fixture
def gate(key: str, live_server: LiveServer, tmp_path: Path) -> Iterator[str]:
    """The address at which the app of the example runs."""
    reader = Reader(tmp_path / "gate", live_server.url, key, None)
    start = next(command for command in commands(FOLDER / "django.md") if command.is_server)
    with reader.keeps_running(start):
        yield f"http://127.0.0.1:{reader.port}"


def test_a_browser_learns_only_of_who_is_signed_in(gate: str, key: str) -> None:
    asked = {"context": {"targetingKey": "kari", "customer": "only-sales-premium"}}
    address = f"{gate}/ofrep/v1/evaluate/flags"
    told = requests.post(address, json=asked, auth=("maja", ""), timeout=30)
    quotes = next(flag for flag in told.json()["flags"] if flag["key"] == "quote-management")
    assert (quotes["value"], quotes["metadata"]["plan"]) == (False, "service-premium")
    assert key not in told.text + str(told.headers)
    again = {"If-None-Match": told.headers["ETag"]}
    assert requests.post(address, json=asked, auth=("maja", ""), headers=again, timeout=30).status_code == 304
    assert requests.post(address, json=asked, auth=("nobody", ""), timeout=30).json()["errorCode"] == "INVALID_CONTEXT"
    assert requests.post(address, json=asked, timeout=30).status_code == 401


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_excerpts_are_of_the_file_that_they_name(page: Path) -> None:
    strange = [text for file, text in excerpts(page) if text.strip("\n") not in file.read_text()]
    assert strange == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_code_stands_there_that_nobody_runs(page: Path) -> None:
    idle = [b.text for b in blocks(page) if b.kind in {"python", "js"} and not (b.file_name or b.excerpt_of)]
    assert [text for text in idle if not text.startswith(RUN_WITH_SNAPSHOTS)] == []


def test_every_job_has_a_page_that_is_found() -> None:
    listed = (FOLDER / "README.md").read_text()
    assert [page.name for page in PAGES[:-1] if page.name != "README.md" and f"({page.name})" not in listed] == []


def test_the_example_asks_for_no_more_than_it_says() -> None:
    named = (EXAMPLE / "requirements.txt").read_text().split()
    assert all(version(line.partition(">")[0]) for line in named)


def test_a_page_that_says_something_else_is_caught() -> None:
    said = Command("", is_server=False, answer=Block("json", '{"value": 1, "as_of": "then"}', ""))
    assert said.fault('{"value": 1, "as_of": "now"}') is None
    assert said.fault('{"value": 2, "as_of": "now"}')
    assert said.fault("Not found")
    assert not is_like({"value": 1}, {"value": True})
