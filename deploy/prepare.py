"""Run inside the environment: brings the database up to this code, and adds the sample data where it was asked for.

One process for both, because each start of Python with the whole app costs a second.
"""

import sys

from flask.cli import ScriptInfo
from flask_migrate import upgrade

from app import create_app


def main(arguments: list[str]) -> None:
    """Migrate; then, with --sample-data, run the command of that name."""
    app = create_app()
    with app.app_context():
        upgrade()
    if "--sample-data" in arguments:
        app.cli.main(args=["sample-data"], obj=ScriptInfo(create_app=lambda: app), standalone_mode=False)


if __name__ == "__main__":
    main(sys.argv[1:])
