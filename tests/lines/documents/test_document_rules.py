"""Which national codes can exist, what a file is by its content, what is shown of either."""

import pytest

from sms.lines.documents.rules import JPEG, PDF, PNG, masked, media_type, national_code, shown_name
from sms.lines.rules import UnusableLine

JPEG_FILE = b"\xff\xd8\xff\xe0" + b"x" * 2000 + b"\xff\xd9"
PNG_FILE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"x" * 2000 + b"IEND\xaeB`\x82"
PDF_FILE = b"%PDF-1.7\n" + b"x" * 2000 + b"%%EOF\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0012345679", "0012345679"),
        ("001-234567-9", "0012345679"),
        ("۱۲۳۴۵۶۷۸۹۱", "1234567891"),
        ("10380284790", "10380284790"),
        ("14003778990", "14003778990"),
    ],
)
def test_codes_whose_check_digit_holds(text: str, code: str) -> None:
    assert national_code(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0012345678",
        "1111111111",
        "0000000000",
        "11111111111",
        "10380284791",
        "123456789",
        "12345678901",
        "abcdefghij",
    ],
)
def test_codes_that_cannot_be(text: str) -> None:
    with pytest.raises(UnusableLine) as caught:
        national_code(text)
    assert caught.value.field == "national_code"


def test_every_changed_digit_is_noticed() -> None:
    code = "0012345679"
    for place in range(10):
        for digit in "0123456789":
            changed = code[:place] + digit + code[place + 1 :]
            if changed != code:
                with pytest.raises(UnusableLine):
                    national_code(changed)


def test_little_is_shown_of_a_code() -> None:
    assert (masked("0012345679"), masked("10380284790")) == ("001•••••79", "103••••••90")


@pytest.mark.parametrize(("content", "kind"), [(JPEG_FILE, JPEG), (PNG_FILE, PNG), (PDF_FILE, PDF)])
def test_a_file_is_what_its_content_says(content: bytes, kind: str) -> None:
    assert media_type(content[:1024], content[-1024:]) == kind


@pytest.mark.parametrize(
    "content",
    [
        b"<html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a",
        b"MZ\x90\0",
        b"PK\x03\x04",
        b" " + PDF_FILE,
        JPEG_FILE[:-2],
        PNG_FILE[:500],
        PDF_FILE[:500],
    ],
)
def test_anything_else_and_what_is_cut_off_is_refused(content: bytes) -> None:
    with pytest.raises(UnusableLine) as caught:
        media_type(content[:1024], content[-1024:])
    assert caught.value.field == "file"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("card.jpg", "card.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\me\\کارت.png", "کارت.png"),
        ("a\r\nSet-Cookie: x", "aSet-Cookie: x"),
        ("", "document"),
        (None, "document"),
    ],
)
def test_a_name_is_fit_to_be_shown(name: str | None, shown: str) -> None:
    assert shown_name(name) == shown
