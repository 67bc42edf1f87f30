"""The official OpenFeature providers read entitlements over the wire, unchanged. Rules A-1 to A-4."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openfeature import api as openfeature
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason
from pytest_django.live_server_helper import LiveServer

from tests.factories.customers import api_with
from tests.licensing.market import Market, Town, hours

PACKAGES = ("@openfeature/server-sdk", "@openfeature/ofrep-provider")
OLA = EvaluationContext("ola", {"customer": "fjordlys"})
PROGRAM = """
const { OpenFeature } = require('@openfeature/server-sdk');
const { OFREPProvider } = require('@openfeature/ofrep-provider');
(async () => {
  const headers = [['Authorization', 'Bearer ' + process.env.KEY]];
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: process.env.BASE, headers }));
  const client = OpenFeature.getClient();
  const ola = { targetingKey: 'ola', customer: 'fjordlys' };
  const told = {
    sales: await client.getBooleanDetails('sales', false, ola),
    quotes: await client.getBooleanDetails('quotes', true, ola),
    mails: await client.getNumberDetails('email-limit', 1, ola),
    dashboards: await client.getStringDetails('dashboards', 'x', ola),
    unknown: await client.getBooleanDetails('teleport', true, ola),
    nobody: await client.getBooleanDetails('sales', true, { targetingKey: 'nobody', customer: 'fjordlys' }),
  };
  console.log(JSON.stringify(told));
  await OpenFeature.close();
})();
"""


@pytest.fixture
def key(transactional_db: None) -> str:
    """The key of an app; Ola of Fjordlys holds Sales Essentials."""
    Market()
    town = Town()
    town.buys(sales_essentials=2, at=hours(1))
    town.gives("ola", "ten-sales-essentials", at=hours(2))
    token: str = api_with("entitlements:read")._credentials["HTTP_AUTHORIZATION"]
    return token.removeprefix("Bearer ")


@pytest.fixture
def client(key: str, live_server: LiveServer) -> Iterator[Any]:
    provider = OFREPProvider(live_server.url, headers_factory=lambda: {"Authorization": f"Bearer {key}"})
    openfeature.set_provider(provider)
    yield openfeature.get_client()
    openfeature.clear_providers()
    provider.session.close()


def test_the_python_provider(client: Any) -> None:
    sales = client.get_boolean_details("sales", False, OLA)
    assert (sales.value, sales.reason, sales.variant) == (True, Reason.TARGETING_MATCH, "on")
    assert (sales.flag_metadata["plan"], sales.flag_metadata["access"]) == ("sales-essentials", "edit")
    assert client.get_boolean_value("quotes", True, OLA) is False
    assert client.get_integer_value("email-limit", 1, OLA) == 500
    assert client.get_string_value("dashboards", "x", OLA) == "default-tiles"
    unknown = client.get_boolean_details("teleport", True, OLA)
    assert (unknown.value, unknown.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
    nobody = client.get_boolean_details("sales", True, EvaluationContext("nobody", {"customer": "fjordlys"}))
    assert (nobody.value, nobody.error_code) == (True, ErrorCode.INVALID_CONTEXT)
    missing = client.get_boolean_details("sales", True, EvaluationContext(None, {"customer": "fjordlys"}))
    assert missing.error_code == ErrorCode.TARGETING_KEY_MISSING


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where node finds the official provider; fetched as the machine's own npm is set up to."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not there")
    folder = tmp_path_factory.mktemp("node")
    fetch = ["npm", "install", "--no-audit", "--no-fund", "--no-save", "--silent", *PACKAGES]
    fetched = subprocess.run(fetch, check=False, capture_output=True, cwd=folder, timeout=120)
    if fetched.returncode:
        pytest.skip(f"npm can't fetch the provider here: {fetched.stderr.decode()[-200:]}")
    return folder


def test_the_javascript_provider(key: str, live_server: LiveServer, modules: Path) -> None:
    (modules / "ask.js").write_text(PROGRAM)
    environment = os.environ | {"BASE": live_server.url, "KEY": key}
    run = subprocess.run(["node", "ask.js"], check=False, capture_output=True, cwd=modules, env=environment, timeout=60)
    assert run.returncode == 0, run.stderr.decode()
    told = json.loads(run.stdout)
    assert {name: details["value"] for name, details in told.items()} == {
        "sales": True,
        "quotes": False,
        "mails": 500,
        "dashboards": "default-tiles",
        "unknown": True,
        "nobody": True,
    }
    assert told["sales"]["flagMetadata"]["plan"] == "sales-essentials"
    assert [told[name]["errorCode"] for name in ("unknown", "nobody")] == ["FLAG_NOT_FOUND", "INVALID_CONTEXT"]
