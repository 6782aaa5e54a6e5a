"""P3 and P4: lists of a million rows, made by seed, read and accepted in a process of their own that is weighed."""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from xml.sax.saxutils import escape

from app import create_app
from bench.processes import cpu_seconds, postgres_pid, trees
from bench.shop import BODY, USERNAME, Shop, open_shop
from deploy.environment import ROOT
from sms.contacts.operations import opt_out
from sms.core import clock
from sms.core.config import settings
from sms.core.db import row, scalar, transaction
from sms.outbox.intake.operations.drafts import draft_from_file
from sms.outbox.intake.operations.reading import read_draft
from sms.outbox.operations.accept import accept_draft

SEED = 20261124
_HEADS = ("912", "919", "935", "936", "901", "921", "990", "932")
_PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
_DOUBLES, _BAD, _OPTED_OUT = 0.05, 0.01, 0.1
_COLUMNS = ("نام", "موبایل", "شهر")
_CITIES = ("تهران", "شیراز", "تبریز", "مشهد")


def measured(kind: str, rows: int) -> dict[str, float]:
    """rows, seconds (and of them read_seconds), per_second, cpu_us_per_row (this process and the database), peak_mb."""
    with tempfile.TemporaryDirectory(prefix="payamgah-lists-") as folder:
        path = Path(folder) / f"list.{kind}"
        (write_csv if kind == "csv" else write_xlsx)(path, rows)
        command = [sys.executable, "-m", "bench.ingest", str(path), str(rows)]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


# The files


def recipients(rows: int) -> Iterator[str]:
    """Ten national digits a row, one in twenty a repeated one; "" where the row is to be a bad one."""
    rng = random.Random(SEED)
    known: list[str] = []
    for place in range(rows):
        chance = rng.random()
        if chance < _BAD:
            yield ""
        elif chance < _BAD + _DOUBLES and known:
            yield rng.choice(known)
        else:
            known.append(f"{_HEADS[place % len(_HEADS)]}{rng.randrange(10**7):07}")
            yield known[-1]


def opted_out(rows: int) -> list[int]:
    """One in ten of the recipients."""
    return [int(f"98{number}") for number in list(recipients(rows))[:: round(1 / _OPTED_OUT)] if number]


def spelled(number: str, place: int) -> str:
    """One of seven spellings."""
    if not number:
        return f"0912-{place}"
    return (
        f"0{number}",
        number,
        f"+98{number}",
        f"0098{number}",
        f"98{number}",
        f"0{number}".translate(_PERSIAN),
        f"0{number[:3]} {number[3:6]} {number[6:]}",
    )[place % 7]


def write_csv(path: Path, rows: int) -> None:
    """A CSV with a header, Persian names, and the seven spellings by turns."""
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(_COLUMNS) + "\n")
        file.writelines(
            f"علی رضایی {place % 1000},{spelled(number, place)},{_CITIES[place % 4]}\n"
            for place, number in enumerate(recipients(rows))
        )


def write_xlsx(path: Path, rows: int) -> None:
    """A workbook as Excel writes it: texts shared, every other recipient a number without its zero."""
    strings: dict[str, int] = {}

    def shared(column: str, row_number: int, text: str) -> str:
        return f'<c r="{column}{row_number}" t="s"><v>{strings.setdefault(text, len(strings))}</v></c>'

    def cells(place: int, number: str) -> str:
        at = place + 2
        is_number = number and place % 2
        phone = f'<c r="B{at}"><v>{number}</v></c>' if is_number else shared("B", at, spelled(number, place))
        return shared("A", at, f"علی رضایی {place % 1000}") + phone + shared("C", at, _CITIES[place % 4])

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            head = "".join(shared(column, 1, name) for column, name in zip("ABC", _COLUMNS, strict=True))
            sheet.write(f'<worksheet xmlns="{_MAIN}"><sheetData><row r="1">{head}</row>'.encode())
            for place, number in enumerate(recipients(rows)):
                sheet.write(f'<row r="{place + 2}" spans="1:3">{cells(place, number)}</row>'.encode())
            sheet.write(b"</sheetData></worksheet>")
        texts = "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{_MAIN}">{texts}</sst>')
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATION}"><sheets>'
            '<sheet name="1" sheetId="1" r:id="rId1"/></sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="rId1" Type="{_RELATION}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        )


_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


# The process that is weighed


def main(path: str, rows: str) -> None:
    """Read and accept a list; print what it took as JSON."""
    with create_app().app_context():
        shop = _shop(int(rows))
        members = [os.getpid(), *trees([postgres_pid(settings().database_url)])[0]]
        cpu, began = cpu_seconds(members), time.perf_counter()
        draft_id = _read(shop, Path(path))
        read = time.perf_counter()
        with transaction():
            accept_draft(draft_id=draft_id, account_id=shop.account_id, user_id=shop.user_id, at=clock.now())
        seconds = time.perf_counter() - began
        members = [os.getpid(), *trees([postgres_pid(settings().database_url)])[0]]
        found = {
            "rows": int(rows),
            "seconds": seconds,
            "read_seconds": read - began,
            "per_second": int(rows) / seconds,
            "cpu_us_per_row": (cpu_seconds(members) - cpu) * 1e6 / int(rows),
            "peak_mb": getrusage(RUSAGE_SELF).ru_maxrss / 1024,
        }
    print(json.dumps(found))


def _shop(rows: int) -> Shop:
    known = row(
        "SELECT u.account_id, u.id AS user_id, l.id AS line_id, l.gateway_id, l.operator_id, o.code"
        " FROM accounts_user u CROSS JOIN lines_line l JOIN operators_operator o ON o.id = l.operator_id"
        " WHERE u.username = :name LIMIT 1",
        name=USERNAME,
    )
    if known is not None:
        wallet_id = scalar(
            "SELECT id FROM ledger_wallet WHERE account_id = :id AND kind = 'customer'", id=known.account_id
        )
        return Shop(
            operator_code=known.code,
            account_id=known.account_id,
            user_id=known.user_id,
            wallet_id=wallet_id,
            operator_id=known.operator_id,
            gateway_id=known.gateway_id,
            line_id=known.line_id,
            others=(),
        )
    shop = open_shop()
    with transaction():
        opt_out(account_id=shop.account_id, recipients=opted_out(rows), line_id=None, reason="bench", at=clock.now())
    return shop


def _read(shop: Shop, path: Path) -> int:
    with path.open("rb") as stream, transaction():
        draft_id = draft_from_file(
            account_id=shop.account_id,
            user_id=shop.user_id,
            line_id=shop.line_id,
            title="bench",
            body=BODY,
            file_name=path.name,
            stream=stream,
            at=clock.now(),
        )
    with transaction():
        read_draft(draft_id=draft_id, at=clock.now())
    return draft_id


if __name__ == "__main__":
    main(*sys.argv[1:])
