"""Every sentence a person may read has its Persian: found in the sources, looked up in the catalogues."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import flask_wtf.file
import pytest
import wtforms
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from jinja2 import Environment
from jinja2.ext import extract_from_ast

ROOT = Path(__file__).parent.parent.parent
MARKS = ("_", "N_")
PLACE = re.compile(r"%\(\w+\)[sd]|%s|\{\w+\}")
WRONG_LETTERS = "يكة٠١٢٣٤٥٦٧٨٩"  # Arabic forms that look Persian and are found by no search


def of_python(source: str) -> Iterator[str]:
    """Sentences marked in Python."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def of_template(source: str) -> Iterator[str]:
    """Sentences marked in a template."""
    for _line, _function, strings in extract_from_ast(
        Environment(autoescape=True).parse(source), MARKS, babel_style=False
    ):
        yield from strings[:1]


def of_library(source: str) -> Iterator[str]:
    """Sentences the form libraries say through our translations."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            count = {"gettext": 1, "ngettext": 2}.get(node.func.attr, 0)
            for argument in node.args[:count]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value


def sources() -> Iterator[tuple[str, str]]:
    """Every (file, sentence)."""
    ours = [*ROOT.glob("sms/**/*.py"), *ROOT.glob("jobs/*.py"), ROOT / "app.py"]
    forms = Path(wtforms.__file__).parent
    libraries = [*forms.glob("validators.py"), *forms.glob("fields/*.py"), Path(flask_wtf.file.__file__)]
    for files, extract in ((ours, of_python), (ROOT.glob("templates/**/*.html"), of_template), (libraries, of_library)):
        for file in files:
            for sentence in extract(file.read_text(encoding="utf-8")):
                yield file.name if files is libraries else str(file.relative_to(ROOT)), sentence


def catalogues() -> Iterator[tuple[str, Catalog]]:
    """Every (file, catalogue)."""
    for file in sorted(ROOT.glob("sms/**/fa.po")):
        with file.open("rb") as opened:
            yield str(file.relative_to(ROOT)), read_po(opened, locale="fa")


def entries() -> Iterator[tuple[str, str, str]]:
    """Every (file, English, Persian)."""
    for file, catalogue in catalogues():
        for message in catalogue:
            if message.id:
                yield file, str(message.id), str(message.string or "")


@pytest.fixture(scope="module")
def used() -> dict[str, str]:
    """Each sentence and a file that says it; empty ones are no sentences."""
    return {sentence: file for file, sentence in sources() if sentence}


def test_every_sentence_has_its_persian(used: dict[str, str]) -> None:
    persian = {english for _file, english, translated in entries() if translated}
    missing = [f"{file}: {sentence}" for sentence, file in sorted(used.items()) if sentence not in persian]
    assert missing == []


def test_no_sentence_has_two_translations() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for _file, english, translated in entries():
        found[english].add(translated)
    assert {english: ways for english, ways in found.items() if len(ways) > 1} == {}


def test_the_places_of_a_sentence_stand_in_its_translation_too() -> None:
    differing = [
        f"{file}: {english}"
        for file, english, translated in entries()
        if sorted(PLACE.findall(english)) != sorted(PLACE.findall(translated))
    ]
    assert differing == []


def test_a_sentence_with_places_has_no_other_percent_sign() -> None:
    broken = [
        f"{file}: {text}"
        for file, english, translated in entries()
        for text in (english, translated)
        if "%(" in text and "%" in PLACE.sub("", text).replace("%%", "")
    ]
    assert broken == []


def test_no_translation_is_left_over(used: dict[str, str]) -> None:
    assert [f"{file}: {english}" for file, english, _translated in entries() if english not in used] == []


def test_no_translation_waits_for_a_look() -> None:
    assert [
        f"{file}: {message.id}"
        for file, catalogue in catalogues()
        for message in catalogue
        if message.id and message.fuzzy
    ] == []


def test_persian_is_written_in_persian_letters() -> None:
    wrong = [f"{file}: {text}" for file, _english, text in entries() if any(letter in text for letter in WRONG_LETTERS)]
    assert wrong == []


def test_no_sentence_is_put_together_before_it_is_translated() -> None:
    composed = []
    for file in [*ROOT.glob("sms/**/*.py"), *ROOT.glob("jobs/*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS
            if is_call and node.args and isinstance(node.args[0], ast.JoinedStr | ast.BinOp):
                composed.append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert composed == []
