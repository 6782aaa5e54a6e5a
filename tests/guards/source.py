"""The code as text and as trees, for guards that read it instead of running it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("sms", "jobs", "deploy", "bench")  # folders; `app.py` and `panel.py` stand beside them


@cache
def tree(path: Path) -> ast.Module:
    """A module, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"))


def modules(*folders: str) -> list[Path]:
    """Every Python file below these folders of the repository, in order."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def product() -> list[Path]:
    """Every Python file of the product, tests left out."""
    return [*modules(*PRODUCT), ROOT / "app.py", ROOT / "panel.py"]


def name(path: Path) -> str:
    """A file as a person would point to it."""
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a module, methods and inner ones too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How long a function is, from its `def` to its last line."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def words(node: ast.AST) -> set[str]:
    """Every name and attribute in an expression."""
    return {
        found.id if isinstance(found, ast.Name) else found.attr
        for found in ast.walk(node)
        if isinstance(found, ast.Name | ast.Attribute)
    }
