"""Everything that can be said about the code without running it."""

import subprocess
from collections.abc import Sequence

from deploy.environment import PYTHON, ROOT, VENV
from deploy.programs import environment
from deploy.supervisor import say


def check() -> int:
    """Format, lint, types, import contracts and templates; says which of them failed."""
    tools = {name: str(VENV / "bin" / name) for name in ("ruff", "lint-imports", "djlint")}
    steps = {
        "format": [tools["ruff"], "format", "--check", "."],
        "lint": [tools["ruff"], "check", "."],
        "types": [str(PYTHON), "-m", "mypy"],
        "import contracts": [tools["lint-imports"], "--no-logo"],
        "template format": [tools["djlint"], "--check", "--quiet", "templates"],
        "template lint": [tools["djlint"], "--lint", "--quiet", "templates"],
    }
    failed = [name for name, command in steps.items() if not _passes(name, command)]
    say(f"Failed: {', '.join(failed)}" if failed else "All checks passed.")
    return 1 if failed else 0


def _passes(name: str, command: Sequence[str]) -> bool:
    done = subprocess.run(command, cwd=ROOT, env=environment({}), capture_output=True, text=True, check=False)
    passed = done.returncode == 0
    say(f"{'ok    ' if passed else 'FAILED'}  {name}")
    if not passed:
        say((done.stdout + done.stderr).rstrip())
    return passed
