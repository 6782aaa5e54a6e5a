"""Static files: addresses that change with the contents, texts compressed."""

import gzip
from pathlib import Path

from flask import Flask, url_for
from flask.testing import FlaskClient

from sms.core.web.assets import fingerprint


def test_an_address_carries_the_fingerprint_of_its_contents(app: Flask, tmp_path: Path) -> None:
    with app.test_request_context("/"):
        address = url_for("static", filename="theme.css")

    assert address == f"/static/theme.css?v={fingerprint(Path(app.static_folder or '') / 'theme.css')}"
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("a")
    other.write_text("b")
    assert fingerprint(one) != fingerprint(other)


def test_a_versioned_file_is_kept_and_another_is_asked_for_again(client: FlaskClient) -> None:
    assert "immutable" in client.get("/static/theme.css?v=12345678").headers["Cache-Control"]
    assert "immutable" not in client.get("/static/theme.css").headers["Cache-Control"]


def test_texts_travel_compressed_to_those_who_take_it(client: FlaskClient) -> None:
    plain = client.get("/static/theme.css")
    packed = client.get("/static/theme.css", headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 2


def test_a_font_is_left_as_it_is(client: FlaskClient) -> None:
    font = client.get("/static/fonts/vazirmatn-33.0.3.woff2", headers={"Accept-Encoding": "gzip"})

    assert font.status_code == 200
    assert "Content-Encoding" not in font.headers
