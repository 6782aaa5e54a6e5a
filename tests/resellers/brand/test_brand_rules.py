"""Colours that can be read, pictures that are what they say, names of domains."""

import struct
import zlib

import pytest

from sms.resellers.brand.rules import (
    MOST_LOGO_BYTES,
    READABLE,
    VISIBLE,
    Picture,
    UnusableBrand,
    check_colour,
    check_host,
    colour_of,
    contrast,
    for_the_dark,
    host_of,
    picture_of,
    stylesheet,
)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int = 8, height: int = 4) -> bytes:
    """A whole picture of one colour."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = b"".join(b"\0" + b"\x33\x44\x55" * width for _ in range(height))
    return b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


JPEG = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x0b\x08\0\x04\0\x08\x01\0\0\0\xff\xda\0\x02xx\xff\xd9"
_RAW = b"VP8 " + b"\x14\0\0\0" + b"\0\0\0\x9d\x01\x2a\x08\0\x04\0" + b"\0" * 10
WEBP = b"RIFF" + struct.pack("<I", 4 + len(_RAW)) + b"WEBP" + _RAW


@pytest.mark.parametrize(
    ("data", "mime"), [(png(), "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")], ids=["png", "jpeg", "webp"]
)
def test_a_picture_is_told_by_its_contents(data: bytes, mime: str) -> None:
    assert picture_of(data) == Picture(mime, 8, 4)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<html></html>",
        b"GIF89a" + b"\0" * 30,
        png()[:-4],
        png() + b"<script>",
        png().replace(b"IDAT", b"IDAU"),
        b"\x89PNG\r\n\x1a\n",
        JPEG + b"<script>",
        JPEG[:8],
        b"\xff\xd8\xff\xd9",
        WEBP + b"x",
        WEBP[:14],
        png(3000, 4),
        png(0, 4),
        png() + b"\0" * MOST_LOGO_BYTES,
    ],
)
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(UnusableBrand):
        picture_of(data)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(("text", "kept"), [("", ""), (" #3A4FC4 ", "#3a4fc4"), ("#000000", "#000000")])
def test_a_dark_enough_colour_is_kept(text: str, kept: str) -> None:
    assert check_colour("main_colour", text, least=READABLE) == kept


@pytest.mark.parametrize("text", ["#ffff00", "#777777", "red", "#12345", "#1234567", "#3a4fc4;}", "url(x)", "#ggg000"])
def test_what_cannot_be_read_or_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(UnusableBrand):
        check_colour("main_colour", text, least=READABLE)


@pytest.mark.parametrize("text", ["#000000", "#3a4fc4", "#8b0000", "#767676", "#005f00"])
def test_in_the_dark_a_colour_is_light_enough(text: str) -> None:
    for least in (READABLE, VISIBLE):
        assert contrast(colour_of(for_the_dark(text, least=least)), (28, 32, 44)) >= least


def test_a_stylesheet_holds_only_what_was_set() -> None:
    assert stylesheet(main="", second="") == ""
    both = stylesheet(main="#3a4fc4", second="#8b0000")
    assert both.count("#3a4fc4") >= 3
    assert "#8b0000" in both
    assert both.count("{") == both.count("}")
    assert "btn-primary" not in stylesheet(main="", second="#8b0000")


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("panel.shop.ir", "panel.shop.ir"),
        ("Panel.Shop.IR.", "panel.shop.ir"),
        ("panel.shop.ir:8443", "panel.shop.ir"),
        ("پنل.فروشگاه.ir", "xn--wgb0hc.xn--mgbugem6e0a.ir"),
        ("a_b.ir", ""),
        ("-a.ir", ""),
        ("a..ir", ""),
        ("", ""),
        ("x" * 64 + ".ir", ""),
    ],
)
def test_a_host_is_read_as_requests_name_it(text: str, host: str) -> None:
    found = host_of(text)
    assert found == host or (host.startswith("xn--") and found.startswith("xn--") and found.endswith(".ir"))


@pytest.mark.parametrize(
    "text",
    [
        *("", "localhost", "shop", "127.0.0.1", "10.0.0.1:80", "[::1]", "a.local", "b.internal", "x.example"),
        *("panel.ours.ir", "sub.panel.ours.ir", "http://", "two words.ir", "a.ir<script>"),
    ],
)
def test_what_is_no_domain_or_ours_cannot_be_asked_for(text: str) -> None:
    with pytest.raises(UnusableBrand):
        check_host(text, ours="panel.ours.ir")


def test_an_address_may_be_pasted() -> None:
    assert check_host("https://Panel.Shop.ir/sign-in?x", ours="panel.ours.ir") == "panel.shop.ir"
