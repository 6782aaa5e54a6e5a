"""Money is a whole number of milli-rial everywhere: in columns, in code, in names."""

import ast
from collections.abc import Iterator

from flask import Flask

from sms.core.db import rows
from tests.guards import source

MONEY_CODE = ("sms/ledger", "sms/billing", "sms/outbox")
MONEY_WORDS = ("price", "cost", "amount", "balance", "fee", "rial", "toman", "credit", "refund", "charged", "released")
NOT_MONEY = {"credit_checked_at", "balance_unit"}
INEXACT = {"real", "double precision", "numeric", "money"}


def test_money_columns_are_whole_numbers(app: Flask) -> None:
    found = rows(
        "SELECT table_name || '.' || column_name AS name, column_name, udt_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name LIKE '%\\_mrial'"
    )
    assert len(found) > 20
    # An array is what there is one of for each level of the tree.
    assert {column.name: column.udt_name for column in found if column.udt_name not in {"int8", "_int8"}} == {}


def test_no_column_of_money_hides_under_another_name(app: Flask) -> None:
    found = rows(
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name ~ '^(ledger|billing|outbox)_'"
    )
    inexact = [column for column in found if column.data_type in INEXACT]
    unnamed = [
        f"{column.table_name}.{column.column_name}"
        for column in found
        if column.data_type in {"integer", "bigint", "smallint"}
        and column.column_name.startswith(MONEY_WORDS)
        and not column.column_name.endswith(("_mrial", "_id", "_count", "_at"))
    ]
    assert (inexact, unnamed) == ([], [])


def _money_expressions() -> Iterator[tuple[str, ast.expr]]:
    for path in [*source.modules(*MONEY_CODE), source.ROOT / "sms/core/money.py"]:
        for node in ast.walk(source.tree(path)):
            if isinstance(node, ast.expr) and any(word.endswith("_mrial") for word in source.words(node)):
                yield f"{source.name(path)}:{node.lineno}", node


def test_money_meets_no_float() -> None:
    found = {
        where
        for where, node in _money_expressions()
        if (isinstance(node, ast.BinOp) and (isinstance(node.op, ast.Div) or _has_float(node)))
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"float", "round"})
    }
    assert found == set()


def _has_float(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Constant) and isinstance(part.value, float) for part in ast.walk(node))


def test_money_is_annotated_as_whole_numbers() -> None:
    found = {
        f"{source.name(path)}:{node.lineno} {name}"
        for path in source.modules("sms", "jobs")
        for node in ast.walk(source.tree(path))
        for name, annotation in _annotations(node)
        if name.endswith("_mrial") and annotation is not None and "float" in source.words(annotation)
    }
    assert found == set()


def _annotations(node: ast.AST) -> list[tuple[str, ast.expr | None]]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [(node.target.id, node.annotation)]
    if isinstance(node, ast.arg):
        return [(node.arg, node.annotation)]
    return [(node.name, node.returns)] if isinstance(node, ast.FunctionDef) else []


def test_the_ledger_and_the_prices_know_no_float_at_all() -> None:
    found = [
        f"{source.name(path)}:{node.lineno}"
        for path in source.modules("sms/ledger", "sms/billing")
        for node in ast.walk(source.tree(path))
        if (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
    ]
    assert found == []
