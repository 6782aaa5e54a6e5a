"""Nothing of a customer and no secret stands in a log."""

import ast
from collections.abc import Iterator

from tests.guards import source

LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
NEVER_LOGGED = {
    *("recipient", "recipients", "number", "numbers", "phone", "mobile", "given", "sender"),  # people
    *("body", "text", "title", "payload", "content", "row", "rows"),  # what is written to them
    *("password", "credentials", "secret", "token", "secret_key", "seal_key", "sealed", "authorization", "cookie"),
    *("path", "url", "base_url", "database_url", "redis_url", "args", "form", "headers", "data", "json"),
    *("file_name", "stored_name", "filename", "username", "full_name"),
}


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for path in source.modules("sms", "jobs"):
        if "simulator" in path.parts:
            continue  # a toy on one machine that knows no customer
        for node in ast.walk(source.tree(path)):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if is_call and node.func.attr in LEVELS and source.words(node.func.value) & {"log", "logger", "logging"}:
                yield f"{source.name(path)}:{node.lineno}", node


def test_log_calls_name_no_person_no_text_and_no_secret() -> None:
    found = {
        where: sorted(used)
        for where, call in _calls()
        if (used := set().union(*map(source.words, [*call.args[1:], *call.keywords])) & NEVER_LOGGED)
    }
    assert found == {}


def test_log_messages_are_fixed_sentences() -> None:
    assert [where for where, call in _calls() if call.args and not isinstance(call.args[0], ast.Constant)] == []


def test_this_guard_sees_the_log_calls_there_are() -> None:
    assert len(list(_calls())) >= 5


def test_only_commands_print() -> None:
    found = [
        f"{source.name(path)}:{node.lineno}"
        for path in source.modules("sms", "jobs")
        if path.stem not in {"cli", "console", "__main__"} and "cli" not in path.parts and "simulator" not in path.parts
        for node in ast.walk(source.tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert found == []
