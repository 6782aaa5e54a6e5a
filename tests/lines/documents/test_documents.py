"""Documents on a real database and disk: handed in, looked at, opened; and who may see what."""

import io
import stat
from pathlib import Path

import pytest
from flask import Flask

from deploy.backup import _KEPT_FILES
from sms.core import clock, uploads
from sms.core.actor import Actor
from sms.core.config import Settings
from sms.core.db import execute, row, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.lines.documents import operations, queries
from sms.lines.documents.operations import NewDocument
from sms.lines.documents.rules import DocumentKind, Holder
from sms.lines.rules import UnusableLine
from sms.outbox.intake.operations import drafts
from tests.factories import AT, make_account, make_gateway
from tests.lines.documents.test_document_rules import JPEG_FILE, PDF_FILE, PNG_FILE
from tests.operators.staff import Person, make_staff, sign_in, text_of

CODE = "0012345679"
SEAL = "a seal that only tests know"
HTML = b"<html><script>alert(1)</script></html>"


@pytest.fixture
def account(app: Flask) -> tuple[int, int]:
    """(account id, user id)"""
    return make_account()[:2]


def _upload(account: tuple[int, int], content: bytes = JPEG_FILE, **changes: object) -> int:
    asked = {
        "kind": DocumentKind.NATIONAL_CARD,
        "file_name": "card.jpg",
        "stream": io.BytesIO(content),
        "national_code": CODE,
    }
    with transaction():
        return operations.upload(
            account_id=account[0],
            wanted=NewDocument(**asked | changes),  # type: ignore[arg-type]
            seal_key=SEAL,
            by=Actor(id=account[1]),
            at=AT,
        )


def _files() -> list[Path]:
    return sorted(uploads.folder().iterdir())


@pytest.fixture(autouse=True)
def _empty_folder(settings: Settings) -> None:
    for path in _files():
        path.unlink()


def test_a_document_lies_under_a_random_name_and_its_code_is_sealed(account: tuple[int, int]) -> None:
    document_id = _upload(account)
    found = row("SELECT * FROM lines_document WHERE id = :id", id=document_id)
    assert found is not None
    (path,) = _files()
    assert path.name == found.stored_name != found.file_name
    assert path.read_bytes() == JPEG_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert CODE.encode() not in bytes(found.national_code_sealed)
    assert found.national_code_masked == "001•••••79"
    assert CODE not in str(rows("SELECT details FROM accounts_audit"))


@pytest.mark.parametrize(
    ("content", "changes", "field"),
    [
        (HTML, {}, "file"),
        (JPEG_FILE[:-2], {}, "file"),
        (JPEG_FILE, {"national_code": "0012345678"}, "national_code"),
        (JPEG_FILE, {"national_code": ""}, "national_code"),
    ],
)
def test_what_will_not_do_is_refused_and_leaves_nothing(
    account: tuple[int, int], content: bytes, changes: dict[str, str], field: str
) -> None:
    with pytest.raises(UnusableLine) as caught:
        _upload(account, content, **changes)
    assert caught.value.field == field
    assert (_files(), scalar("SELECT count(*) FROM lines_document")) == ([], 0)


@pytest.mark.parametrize("content", [b"", PDF_FILE + b"x" * 5_000_000])
def test_nothing_and_too_much_are_refused(account: tuple[int, int], content: bytes) -> None:
    with pytest.raises(Refusal):
        _upload(account, content)
    assert _files() == []


def test_a_day_has_a_limit(account: tuple[int, int]) -> None:
    document_id = _upload(account)
    with transaction():
        execute(
            """INSERT INTO lines_document (account_id, kind, state, stored_name, file_name, media_type, size_bytes,
                   sha256, uploaded_at)
               SELECT account_id, kind, state, stored_name || n, file_name, media_type, size_bytes, sha256, uploaded_at
               FROM lines_document, generate_series(1, 39) AS n WHERE id = :id""",
            id=document_id,
        )
    with pytest.raises(Refusal):
        _upload(account)


def test_what_was_accepted_stays_and_the_rest_can_be_taken_back(account: tuple[int, int]) -> None:
    by = Actor(id=account[1])
    kept, gone = _upload(account), _upload(account, PNG_FILE)
    with transaction():
        operations.accept(document_id=kept, by=Actor(), at=AT)
    with transaction(), pytest.raises(Refusal):
        operations.remove(account_id=account[0], document_id=kept, by=by, at=AT)
    with transaction():
        operations.remove(account_id=account[0], document_id=gone, by=by, at=AT)
    assert [each.id for each in queries.account_documents(account[0])] == [kept]
    assert len(_files()) == 1
    assert scalar("SELECT national_code_sealed FROM lines_document WHERE id = :id", id=gone) is None


def test_the_tidying_of_lists_leaves_documents_and_the_backup_takes_them(account: tuple[int, int]) -> None:
    _upload(account)
    (path,) = _files()
    stray = path.with_name("f" * 32)
    stray.write_bytes(b"x")
    with transaction():
        drafts.tidy(AT.replace(year=2099))
    assert _files() == [path]
    assert [each.stored_name for each in rows(_KEPT_FILES["lines_document"])] == [path.name]


# What is needed


def test_what_is_needed_is_data_and_an_operators_own_rows_replace_the_general(account: tuple[int, int]) -> None:
    operator_id, _ = make_gateway()
    general = queries.needed(operator_id=operator_id, holder=Holder.COMPANY)
    assert general == (DocumentKind.NATIONAL_CARD, DocumentKind.GAZETTE, DocumentKind.BILL)
    with transaction():
        execute(
            "INSERT INTO lines_needed_document (operator_id, holder, kind) VALUES (:id, 'company', 'licence')",
            id=operator_id,
        )
    assert queries.needed(operator_id=operator_id, holder=Holder.COMPANY) == (DocumentKind.LICENCE,)
    assert queries.needed(operator_id=operator_id, holder=Holder.GOVERNMENT) == (DocumentKind.LETTER,)


def test_a_document_counts_when_it_is_accepted_and_as_long_as_it_is_valid(account: tuple[int, int]) -> None:
    operator_id, _ = make_gateway()

    def good() -> set[DocumentKind]:
        found = queries.checklist(account_id=account[0], operator_id=operator_id, holder=Holder.PERSON, on=AT.date())
        return {each.kind for each in found if each.is_good}

    card = _upload(account, valid_until=AT.date())
    bill = _upload(account, kind=DocumentKind.BILL, valid_until=AT.date().replace(year=2020))
    assert good() == set()
    with transaction():
        for document_id in (card, bill):
            operations.accept(document_id=document_id, by=Actor(), at=AT)
    assert good() == {DocumentKind.NATIONAL_CARD}


def test_staff_say_what_is_needed(app: Flask) -> None:
    operator_id, _ = make_gateway()
    staff, page = make_staff(app), "/admin/documents/needed"
    wanted = {"operator_id": str(operator_id), "holder": "company", "kind": "licence"}
    assert staff.post(page, wanted, from_page=page).status_code == 303
    assert staff.post(page, wanted, from_page=page).status_code == 422  # it is there already
    assert queries.needed(operator_id=operator_id, holder=Holder.COMPANY) == (DocumentKind.LICENCE,)
    needed_id = scalar("SELECT max(id) FROM lines_needed_document")
    assert staff.post(f"{page}/{needed_id}/remove", from_page=page).status_code == 303
    assert DocumentKind.GAZETTE in queries.needed(operator_id=operator_id, holder=Holder.COMPANY)
    assert {"document.needed", "document.not_needed"} <= {
        each.action for each in rows("SELECT action FROM accounts_audit")
    }


# Pages


def _post_file(person: Person, content: bytes, **fields: str) -> object:
    data = {"kind": "national_card", "national_code": CODE, "file": (io.BytesIO(content), "../کارت.jpg")} | fields
    return person.post("/documents", data, from_page="/documents")


def test_a_customer_hands_in_and_reads_why_it_was_turned_down(app: Flask, account: tuple[int, int]) -> None:
    customer, staff = sign_in(app, account[1]), make_staff(app)
    for person in (customer, staff):
        person.browser.set_cookie("language", "en")
    assert _post_file(customer, JPEG_FILE).status_code == 303  # type: ignore[attr-defined]
    (document,) = queries.account_documents(account[0])
    assert document.file_name == "کارت.jpg"
    page = text_of(customer.get("/documents"))
    assert "001•••••79" in page
    assert CODE not in page

    place = f"/admin/documents/{document.id}"
    assert "National card" in text_of(staff.get("/admin/documents"))
    assert staff.post(f"{place}/turn-down", {"reason": " "}, from_page=place).status_code == 422
    assert staff.post(f"{place}/turn-down", {"reason": "blurred"}, from_page=place).status_code == 303
    assert "blurred" in text_of(customer.get("/documents"))
    assert "No document waits" in text_of(staff.get("/admin/documents"))


@pytest.mark.parametrize("content", [HTML, b"GIF89a", b""])
def test_a_file_that_will_not_do_is_refused_beside_its_field(
    app: Flask, account: tuple[int, int], content: bytes
) -> None:
    answer = _post_file(sign_in(app, account[1]), content)
    assert answer.status_code == 422  # type: ignore[attr-defined]
    assert _files() == []


def test_a_file_that_is_too_large_is_refused_before_it_is_read(app: Flask, account: tuple[int, int]) -> None:
    answer = _post_file(sign_in(app, account[1]), JPEG_FILE * 3000)
    assert answer.status_code == 413  # type: ignore[attr-defined]
    assert _files() == []


@pytest.mark.parametrize(
    ("content", "kind", "disposition"),
    [
        (JPEG_FILE, "image/jpeg", "inline"),
        (PNG_FILE, "image/png", "inline"),
        (PDF_FILE, "application/pdf", "attachment"),
    ],
)
def test_a_file_is_served_as_nothing_but_itself(
    app: Flask, account: tuple[int, int], content: bytes, kind: str, disposition: str
) -> None:
    document_id = _upload(account, content, file_name="<b>.html")
    answer = sign_in(app, account[1]).get(f"/documents/{document_id}/file")
    headers = answer.headers
    assert answer.get_data() == content
    assert headers["Content-Type"] == kind
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Content-Disposition"].startswith(disposition)
    assert headers["Cache-Control"] == "no-store"


def test_documents_of_others_are_not_there(app: Flask, account: tuple[int, int]) -> None:
    document_id = _upload(account)
    own = f"/documents/{document_id}"
    stranger = sign_in(app, make_account()[1])
    assert stranger.get(f"{own}/file").status_code == 404
    assert stranger.post(f"{own}/remove", from_page="/documents").status_code == 404
    assert stranger.get(f"/admin/documents/{document_id}").status_code == 403
    with pytest.raises(NotFound):
        queries.account_document(make_account()[0], document_id)


def test_every_look_of_staff_at_a_file_or_a_code_is_in_the_audit(app: Flask, account: tuple[int, int]) -> None:
    document_id = _upload(account)
    staff, place = make_staff(app), f"/admin/documents/{document_id}"
    assert CODE not in staff.get(place).text
    assert staff.get(f"{place}/file").status_code == 405  # a look is an act
    assert staff.post(f"{place}/file", from_page=place).get_data() == JPEG_FILE
    assert CODE in text_of(staff.post(f"{place}/code", from_page=place)).translate(
        str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789")
    )
    looks = rows(
        "SELECT action, actor_id, account_id, at FROM accounts_audit WHERE actor_id = :id ORDER BY id", id=staff.user_id
    )
    assert [look.action for look in looks] == ["document.opened", "document.code_opened"]
    assert {look.account_id for look in looks} == {account[0]}
    assert clock.now() >= looks[0].at
