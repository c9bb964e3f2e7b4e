"""The borders between packages: who imports whom, what a fresh web process loads, what the project says about itself."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("webapp", "retriever", "training")
HEAVY = (
    "torch",
    "transformers",
    "peft",
    "datasets",
    "faiss",
    "sentence_transformers",
    "bm25s",
    "accelerate",
    "pandas",
    "scipy",
)
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def _imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def test_the_borders_between_packages_hold():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_only_the_tasks_own_files_know_which_task_runs():
    """A second task is one file in training/tasks and one partial of the annotate page."""
    others = [
        path for folder in ("webapp", "retriever", "training/answerers") for path in (ROOT / folder).rglob("*.py")
    ]
    others += [*(ROOT / "training").glob("[!s]*.py"), *(ROOT / "templates").rglob("*.html")]
    for path in others:
        found = re.search(
            r"""['"]qa['"]|tasks import qa|tasks\.qa|training\.squad|_qa\.html""", path.read_text(encoding="utf-8")
        )
        assert found is None, f"{path.relative_to(ROOT)} knows the task: {found.group() if found else ''}"


def test_every_imported_package_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {
        _plain(line.replace("[", " ").replace(">", " ").replace("=", " ").split()[0])
        for line in project["dependencies"]
    }
    known = packages_distributions()
    for path in SOURCES:
        for name in _imported(path) - set(sys.stdlib_module_names) - set(PACKAGES):
            owners = {_plain(owner) for owner in known.get(name, [])}
            assert owners & declared, f"{path.relative_to(ROOT)} imports {name}, which pyproject.toml does not declare."


def test_every_declared_package_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    names = {_plain(name) for name in pinned}
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    for requirement in wanted:
        name = _plain(requirement.replace(">", " ").replace("=", " ").replace("[", " ").split()[0])
        assert name in names, f"constraints.txt does not pin {name}."
    assert pinned["torch"] == "2.13.0"
    assert not [version for version in pinned.values() if "+" in version], "a local version exists on one index only"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_can_run_what_it_reads(path: Path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in calls:
        name = ast.unparse(call.func)
        assert name not in {"eval", "exec", "torch.load", "pickle.load", "pickle.loads", "joblib.load", "yaml.load"}, (
            name
        )
        for keyword in call.keywords:
            shown = f"{name}({keyword.arg}={ast.unparse(keyword.value)})"
            assert shown.split("(", 1)[1] not in {"shell=True)", "trust_remote_code=True)"}, shown
    assert not {"pickle", "dill", "shelve", "marshal"} & _imported(path)


def test_the_web_app_loads_nothing_heavy(tmp_path: Path):
    code = (
        "import sys\n"
        "from webapp import create_app\n"
        "from webapp.settings import read_settings\n"
        "app = create_app(read_settings({'ERRATA_HOME': sys.argv[1]}))\n"
        "assert len(list(app.url_map.iter_rules())) > 20\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_the_readme_documents_every_setting():
    from webapp.settings import documented

    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for name, default, help_text in documented():
        shown = f"`{default}`" if default else ""
        assert f"| `{name}` | {shown} | {help_text} |" in lines, f"README.md's settings table is out of date at {name}."
