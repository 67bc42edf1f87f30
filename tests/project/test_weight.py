"""What a visitor has to load: our own styles and scripts have a budget, before compression."""

from pathlib import Path

STATIC = Path(__file__).resolve().parents[2] / "static"
BUDGET = 40 * 1024


def test_styles_and_scripts_of_ours_stay_light() -> None:
    sizes = {path.name: path.stat().st_size for kind in ("css", "js") for path in STATIC.glob(f"{kind}/*.{kind}")}
    assert {"tokens.css", "app.js"} <= sizes.keys()
    assert sum(sizes.values()) < BUDGET, sizes
