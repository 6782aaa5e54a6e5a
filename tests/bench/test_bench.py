"""The bench runs at tiny sizes: every figure is printed, and what was measured is right. No timing is asserted."""

import re
import subprocess

import pytest

from bench.__main__ import main
from bench.families import FAMILIES
from bench.figures import Figure, beside, number, percentile
from bench.reference import Reference
from deploy.environment import ROOT
from deploy.programs import environment, python_command
from sms.core.config import Settings
from tests.scale import IS_NIGHTLY

R = Reference(rows=1_000, copy_seconds=1, by_id_seconds=1, by_ref_seconds=2)


def _environ(settings: Settings) -> dict[str, str]:
    return {
        "PAYAMGAH_MODE": "test",
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "SECRET_KEY": "a secret that only tests know",
        "SEAL_KEY": "a seal that only tests know",
        "VAR_DIR": str(settings.var_dir),
    }


# Each is put together of what another family runs too: only with NIGHTLY=1.
_LIKE_OTHERS = {"refunds_due", "meanwhile", "memory", "grown"}
_RUN = [family for family in FAMILIES if IS_NIGHTLY or family.name not in _LIKE_OTHERS]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("third", range(3))
def test_every_figure_is_printed(settings: Settings, third: int) -> None:
    asked = _RUN[third::3]
    command = python_command("bench", "--quick", *(family.name for family in asked))
    done = subprocess.run(
        command, cwd=ROOT, env=environment(_environ(settings)), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    printed = re.findall(r"^(P\d+) .*  (met|not met)$", done.stdout, re.MULTILINE)
    assert {code for code, _ in printed} == {code for family in asked for code in family.codes}
    is_compared = any(family.is_compared for family in asked)
    assert bool(re.search(r"^R over [1-9]\d* takings .* messages/s", done.stdout, re.MULTILINE)) is is_compared


def test_a_name_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["P99"])

    assert "there is no P99" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        ([], [family.name for family in FAMILIES]),
        (["p11"], ["send", "memory"]),
        (["refunds", "P9"], ["refunds", "pages"]),
    ],
)
def test_families_are_asked_for_by_name_or_by_target(names: list[str], meant: list[str]) -> None:
    assert [family.name for family in FAMILIES if family.is_meant_by(names)] == meant


@pytest.mark.parametrize(
    ("value", "share_of", "is_met", "ratio"),
    [(150, "messages", True, "0.60"), (149, "messages", False, "0.60"), (250, "updates", False, "0.50")],
)
def test_a_share_is_compared_with_the_reference(value: float, share_of: str, is_met: bool, ratio: str) -> None:
    figure = Figure(code="P2", work="", value=value, unit="messages/s", target=0.6, share_of=share_of)
    line = beside(figure, [R, R])

    assert (line.is_met, line.cells()[4]) == (is_met, ratio)


@pytest.mark.parametrize(("value", "is_ceiling", "is_met"), [(10, True, True), (11, True, False), (11, False, True)])
def test_a_target_is_a_floor_or_a_ceiling(value: float, is_ceiling: bool, is_met: bool) -> None:
    figure = Figure(code="P6", work="", value=value, unit="s", target=10, is_ceiling=is_ceiling)

    assert beside(figure, []).is_met is is_met


def test_percentiles_are_values_that_were_taken() -> None:
    assert [percentile(range(1, 101), percent) for percent in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([7], 50) == percentile([7], 99) == 7


def test_numbers_keep_three_digits() -> None:
    assert [number(value) for value in (123_456, 45.67, 1.234)] == ["123,456", "45.7", "1.23"]


def test_a_failed_measurement_fails_the_bench(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> list[Figure]:
        raise subprocess.CalledProcessError(1, "a measurement")

    monkeypatch.setattr("bench.__main__._alone", fail)
    for name, value in _environ(settings).items():
        monkeypatch.setenv(name, value)

    assert main(["lists", "refunds"]) == 1
    assert "Failed: lists, refunds." in capsys.readouterr().err


def test_sizes_are_positive(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--rows", "0"])

    assert "--rows" in capsys.readouterr().err
