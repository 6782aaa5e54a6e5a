"""The house keeps its shape: import contracts, the closed list of file names, budgets."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guards import source
from tests.guards.source import ROOT

TOP_LEVEL = {
    *("app.py", "sms", "templates", "static", "jobs", "tests", "requirements.txt", "README.md"),
    *("panel.py", "pyproject.toml", "requirements-dev.txt", "CHANGELOG.md", "LICENSE", "docs", "bench", "deploy"),
}
CAPABILITIES = {
    *("accounts", "ledger", "operators", "lines", "billing", "contacts", "links", "outbox", "inbox", "resellers"),
    "dashboard",
}
NOT_CAPABILITIES = {"core", "simulator", "migrations", "__init__.py", "README.md"}
FILE_NAMES = {
    *("rules", "models", "queries", "operations", "forms", "views", "admin", "api", "webhooks", "cli"),
    *("__init__", "fa.po"),
}
OWN_NAMES = {
    "accounts": {"tree", "looks"},
    "ledger": {"credit"},
    "operators": {"contract", "registry", "protocols", "adapters", "health", "push", "inbound"},
    "lines": {
        *("formats", "stock", "shop", "orders", "documents", "renewals", "public", "own", "traffic"),
        *("links", "suffix"),
    },
    "billing": {
        *("price_lists", "taxes", "tiers", "topups", "slips", "invoices"),
        *("contract", "registry", "adapters"),  # of payments
    },
    "contacts": {"imports", "words"},
    "outbox": {"intake", "comparison", "profits", "refunds"},  # rooms of their own with the same file names
    "inbox": {"automations", "forwarding", "labels"},
    "resellers": {"tree", "credit", "handing", "brand"},
    "dashboard": {"reports", "reconciliation", "alerts", "usage"},
}
OTHER = {"contract", "registry", "protocols", "adapters"}  # what holds no room
ROOMS = tuple(sorted({name for names in OWN_NAMES.values() for name in names} - OTHER))  # with the same file names
NEVER = {"utils", "util", "helpers", "helper", "services", "service", "common", "managers", "manager", "misc", "tools"}

MODULE_LINES = 400
TEST_LINES = 600
FUNCTION_LINES = 50
VIEW_LINES = 40
JOB_LINES = 25
TEMPLATE_LINES = 200
ADAPTER_LINES = 500


def _tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    return listed.stdout.splitlines()


def test_import_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_new_stands_at_the_top() -> None:
    found = {path.split("/", 1)[0] for path in _tracked()}
    assert {name for name in found if not name.startswith(".")} <= TOP_LEVEL


def test_every_folder_of_the_house_is_known() -> None:
    found = {path.name for path in (ROOT / "sms").iterdir() if path.name != "__pycache__"}
    assert found - CAPABILITIES - NOT_CAPABILITIES == set()


@pytest.mark.parametrize("capability", sorted(CAPABILITIES))
def test_file_names_come_from_the_closed_list(capability: str) -> None:
    rooms = [ROOT / "sms" / capability, *(ROOT / "sms" / capability / room for room in ROOMS)]
    found = {
        path.name if path.suffix == ".po" else path.stem
        for room in rooms
        if room.is_dir()
        for path in room.iterdir()
        if path.name != "__pycache__" and path.suffix != ".txt"  # a list of words is data
    }
    assert found - FILE_NAMES - OWN_NAMES.get(capability, set()) == set()


def test_no_file_is_named_after_nothing() -> None:
    found = [source.name(path) for path in [*source.product(), *source.modules("tests")] if path.stem in NEVER]
    assert found == []


def test_packages_own_nothing() -> None:
    packages = [path for path in source.product() if path.name == "__init__.py"]
    full = [source.name(path) for path in packages if len(source.tree(path).body) > bool(_docstring(path))]
    assert full == []


def _docstring(path: Path) -> str | None:
    return ast.get_docstring(source.tree(path))


def test_nothing_imports_inside_a_function() -> None:
    found = [
        f"{source.name(path)}:{inner.lineno}"
        for path in source.product()
        for function in source.functions(path)
        for inner in ast.walk(function)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert found == []


def test_every_module_and_public_name_says_what_it_is() -> None:
    silent = [
        f"{source.name(path)}:{getattr(node, 'lineno', 1)}"
        for path in source.product()
        if path.name != "__init__.py"
        for node in (source.tree(path), *_public(source.tree(path)))
        if not ast.get_docstring(node)
    ]
    assert silent == []


def _public(module: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    return [
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]


# Budgets: what outgrows one becomes two things with two names


def _too_long(paths: list[Path], limit: int) -> dict[str, int]:
    lengths = {source.name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    return {name: lines for name, lines in lengths.items() if lines > limit}


def test_modules_are_read_in_one_sitting() -> None:
    assert _too_long(source.product(), MODULE_LINES) == {}


def test_test_modules_too() -> None:
    assert _too_long(source.modules("tests"), TEST_LINES) == {}


def test_templates_too() -> None:
    assert _too_long(sorted((ROOT / "templates").rglob("*.html")), TEMPLATE_LINES) == {}


def test_adapters_too() -> None:
    for folder in (ROOT / "sms/operators/adapters").iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in folder.glob("*.py")]
            assert sum(lengths) <= ADAPTER_LINES, folder.name


@pytest.mark.parametrize(
    ("kind", "limit"), [("function", FUNCTION_LINES), ("view", VIEW_LINES), ("job", JOB_LINES)], ids=str
)
def test_functions_are_short(kind: str, limit: int) -> None:
    paths = {
        "function": source.product(),
        "view": [path for path in source.modules("sms") if _room(path) in {"views", "admin"}],
        "job": [path for path in source.modules("jobs") if path.stem not in {"worker", "tick"}],
    }[kind]
    found = {
        f"{source.name(path)}:{function.name}": source.lines_of(function)
        for path in paths
        for function in source.functions(path)
        if source.lines_of(function) > limit and (kind != "view" or _is_view(function))
    }
    assert found == {}


def _room(path: Path) -> str:
    """`views` for sms/outbox/views.py and for sms/outbox/views/campaigns.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[2] if len(parts) > 2 else ""


def _is_view(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr in {"route", "get", "post"}
        for decorator in function.decorator_list
    )


# What is never said


def test_nothing_is_left_to_be_done_later() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")
    found = [
        f"{source.name(path)}:{number}"
        for path in [*source.product(), *source.modules("tests"), *sorted((ROOT / "templates").rglob("*.html"))]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if any(mark in line for mark in marks)
    ]
    assert found == []
