"""The project's own promises: import rules, start-up, generated files, the wheel's contents."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from lmlab import deployment
from lmlab.deployment import requirements
from lmlab.hosting import deploying, hub_offers
from lmlab.settings import Settings

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "transformers", "peft")


def run(code: str) -> str:
    """Standard output of a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import lmlab", (*HEAVY, "gradio", "pandas")),
        ("import lmlab.lab, lmlab.runs.model_store", (*HEAVY, "gradio")),
        ("from lmlab.cli.main import _parser; _parser().format_help()", (*HEAVY, "gradio")),
        (
            "import lmlab.parts.strip, lmlab.parts.tables, lmlab.parts.plots",
            (*HEAVY, "gradio"),
        ),
    ],
)
def test_what_starts_imports_nothing_heavy(statement, absent):
    loaded = run(f"import sys; {statement}; print(*sys.modules)").split()
    assert not set(absent) & set(loaded)


def test_the_import_contracts_hold():
    command = [Path(sys.executable).parent / "lint-imports"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout


def test_a_broken_import_rule_is_caught(tmp_path):
    bad = tmp_path / "lmlab" / "metrics.py"
    bad.parent.mkdir()
    bad.write_text("import gradio\n")
    command = [sys.executable, "-m", "ruff", "check", "--config", ROOT / "pyproject.toml", bad]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "TID251" in done.stdout


def test_requirements_are_generated_from_the_project():
    written = (ROOT / "requirements.txt").read_text()
    assert written == requirements(ROOT / "pyproject.toml"), "run `make requirements`"
    assert "gradio" not in written


def test_the_front_matter_is_what_spaces_reads():
    readme = (ROOT / "README.md").read_text()
    _, front, _ = readme.split("---\n", 2)
    fields = yaml.safe_load(front)
    settings = Settings(public=True)
    assert set(fields["models"]) == {one for one in settings.models if "*" not in one}
    assert {one.split()[0] for one in fields["preload_from_hub"]} < set(fields["models"])
    assert fields["suggested_hardware"] == hub_offers.ZERO
    assert deploying.MARK in fields["tags"]
    # ZeroGPU runs Python 3.12 and no torch from 2.12 on.
    assert fields["python_version"] == "3.12"
    assert deployment.ZERO["torch"] in (ROOT / "requirements.txt").read_text()
    assert fields["sdk"] == "gradio"
    assert (ROOT / fields["app_file"]).is_file()
    assert len(fields["short_description"]) <= 60
    bounds = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (gradio,) = [line for line in bounds if line.startswith("gradio")]
    # Its inside is touched (lmlab/parts/gradio_compat), and that changes with each minor.
    low, high = (one.split(".") for one in gradio.removeprefix("gradio>=").split(",<"))
    assert [int(high[0]), int(high[1])] == [int(low[0]), int(low[1]) + 1]
    assert fields["sdk_version"].split(".")[:2] == low
    (pinned,) = [
        one for one in (ROOT / "constraints.txt").read_text().split() if one.startswith("gradio==")
    ]
    assert pinned.removeprefix("gradio==").split(".")[:2] == low


def test_the_table_of_settings_is_made_from_the_class():
    from tools.marked import between
    from tools.settings_table import BEGIN, END, settings_table

    document = (ROOT / "docs" / "hosting.md").read_text()
    assert document == between(document, BEGIN, END, settings_table()), "run `make hosting`"


def test_what_comes_from_elsewhere_is_named_with_its_licence():
    from tools.marked import between
    from tools.origins_table import BEGIN, END, origins, origins_table

    document = (ROOT / "docs" / "origins.md").read_text(encoding="utf-8")
    assert document == between(document, BEGIN, END, origins_table()), "run `make tables`"
    named = {what.partition(":")[0] for what, _, _ in origins()}
    for file in (ROOT / "assets").rglob("*.jsonl"):
        places = {parent.relative_to(ROOT).as_posix() for parent in file.parents[:2]}
        assert places & named, file
    # No code and no font of others lies here.
    sources = [
        path for top in ("lmlab", "assets", "tools", "recipes", "bench")
        for path in (ROOT / top).rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]  # fmt: skip
    assert not [p for p in sources if p.name.endswith((".min.js", ".woff", ".woff2", ".ttf"))]
    code = [p for p in sources if p.suffix in (".py", ".js", ".css")]
    assert not [p for p in code if "copyright" in p.read_text(encoding="utf-8").lower()]


def test_assets_are_found_inside_an_installed_package(tmp_path):
    environment = tmp_path / "env"
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT]
    subprocess.run(wheel, check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    (built,) = tmp_path.glob("lmlab-*.whl")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", environment]
    subprocess.run([*install, built], check=True)
    code = "import lmlab.runs.model_store as m; print(m.__file__, *m.ModelStore().embedded())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(environment)},
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    path, *names = done.stdout.split()
    assert path.startswith(str(environment))
    assert "base" in names
    for kind in ("*.css", "*.js", "*.jinja"):
        files = [file.relative_to(ROOT) for file in (ROOT / "lmlab").rglob(kind)]
        assert files
        assert all((environment / file).is_file() for file in files)
