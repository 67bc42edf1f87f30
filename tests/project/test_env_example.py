"""`.env.example` describes every variable that the settings read, and no other."""

import ast
import re
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def variables_read_by_settings() -> set[str]:
    tree = ast.parse((ROOT / "config" / "settings.py").read_text())
    return {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


def test_example_and_settings_name_the_same_variables() -> None:
    example = (ROOT / ".env.example").read_text()
    assert set(re.findall(r"^# ?([A-Z][A-Z0-9_]*)=", example, re.MULTILINE)) == variables_read_by_settings()


def test_every_variable_has_a_sentence_above_it() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    described = [
        above.startswith("# ") and above.endswith(".")
        for above, line in pairwise(lines)
        if re.match(r"# ?[A-Z][A-Z0-9_]*=", line)
    ]
    assert described
    assert all(described)


def test_copying_the_example_changes_nothing() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []
