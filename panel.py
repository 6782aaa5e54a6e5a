#!/usr/bin/env python3
"""The launcher: one command on a machine that has Python 3.11, pip and nothing else.

    python3 panel.py run          everything, with sample data and simulated operators; Ctrl-C stops it
    python3 panel.py stop         stops it from another terminal
    python3 panel.py backup [FILE] [--with-secrets]   everything in one file, also while the panel runs
    python3 panel.py restore FILE [--replace]         back to what it holds; nothing is sent twice
    python3 panel.py test [...]   the tests; what follows goes to pytest
    python3 panel.py check        format, lint, types, import contracts, templates
    python3 panel.py bench [...]  the figures
    python3 panel.py faults [...] kills, cuts and garbage by a seed, and whether anything broke
    python3 panel.py web          one part alone, for production on several machines;
    python3 panel.py worker [QUEUE ...]   DATABASE_URL, REDIS_URL, SECRET_KEY and SEAL_KEY are then given
    python3 panel.py tick
    python3 panel.py simulator
    python3 panel.py WORD [...]   any other word is a command of the app: verify, demo-campaign, routes ...

VAR_DIR is the data folder (/var/lib/payamgah for root, ./var for others), PORT the port (8000), HOST the address to
listen on (127.0.0.1). With DATABASE_URL or REDIS_URL that server is used instead of the embedded one.
"""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said here, before a stranger error says it
    sys.exit("The panel needs Python 3.11 or newer; this is " + sys.version.split()[0] + ".")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # without compiled files each process starts 1.7 s later

from deploy import check, commands, environment
from deploy.problems import Problem


def main(words: list[str]) -> int:
    """Prepare what the first word needs and do it; the exit code says whether it went well."""
    if not words or words[0] in {"help", "-h", "--help"}:
        print(__doc__)
        return 0 if words else 2
    word, rest = words[0], words[1:]
    if word == "stop":
        return commands.stop()
    environment.prepare("dev" if word in {"test", "check", "faults"} else "run")
    if word in {"web", "worker", "tick", "simulator"}:
        commands.alone(word, rest)
    with_words = {
        "backup": commands.backup,
        "restore": commands.restore,
        "test": commands.test,
        "bench": commands.bench,
        "faults": commands.faults,
    }
    without_words = {"run": commands.run, "check": check.check}
    if word in with_words:
        return with_words[word](rest)
    return without_words[word]() if word in without_words else commands.flask(words)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        sys.exit(f"{problem}")
