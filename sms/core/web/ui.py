"""The look's macros, gathered: every macro of `templates/_ui/` is `ui.<name>` in every template, without an import.

A block that is rendered alone does not see its page's imports; a global it does see."""

from typing import Any

from flask import Flask
from jinja2 import Environment
from jinja2.runtime import Macro

_FOLDER = "_ui/"


class Ui:
    """Finds a macro by its name; each file of the folder is read once."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._macros: dict[str, Macro] = {}

    def __getattr__(self, name: str) -> Any:
        if not self._macros:
            self._macros = self._read()
        try:
            return self._macros[name]
        except KeyError:
            raise AttributeError(f"there is no ui.{name}") from None

    def _read(self) -> dict[str, Macro]:
        found: dict[str, Macro] = {}
        for file in self._environment.list_templates(filter_func=lambda name: name.startswith(_FOLDER)):
            module = self._environment.get_template(file).module
            found |= {name: macro for name, macro in vars(module).items() if isinstance(macro, Macro)}
        return found


def init_app(app: Flask) -> None:
    """Give templates `ui`."""
    app.jinja_env.globals["ui"] = Ui(app.jinja_env)
