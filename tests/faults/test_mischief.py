"""The runner itself: the same seed means the same mischief, the model finds what is wrong, and short runs go well."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.faults.mischief import schedule
from tests.faults.model import TEXTS, Account, Kept, Sent, Truth, judge, money_differences, price_of, recipients
from tests.faults.points import POINTS, Bench, Point, benched, try_point
from tests.faults.run import Told, compare, ledger_of, run, verify_after
from tests.faults.stage import PARTS, staged

CODES = ("1000", "2000", "3000", "5000")
SENT = Sent(1, "customer", "3000", TEXTS[0], first=0, count=100)
NUMBERS = list(recipients(0, 100))


def test_a_seed_is_a_schedule() -> None:
    first, again, other = (schedule(seed=seed, seconds=60, kills=20, codes=CODES) for seed in (5, 5, 6))
    assert first == again != other
    assert sum(deed.kind in {"kill", "postgres"} for deed in first) == 20
    assert {deed.code for deed in first} == {"", *CODES}
    assert first == sorted(first)


def _truths(**taken: list[int]) -> dict[str, Truth]:
    return {code: Truth(times=Counter(taken.get(f"at_{code}", []))) for code in CODES}


def _kept(**changed: Kept) -> dict[int, Kept]:
    words = {90: "blocked", 94: "not_in_network", 96: "undelivered", 97: "refused", 98: "expired"}
    words |= {91: "blocked", 92: "blocked", 93: "blocked", 95: "not_in_network"}
    kept = {to: Kept(1, words.get(to % 100, "delivered"), to % 100 != 97, False) for to in NUMBERS}
    return kept | {NUMBERS[int(name[3:])]: value for name, value in changed.items()}


ALL_BUT_THE_REFUSED = [to for to in NUMBERS if to % 100 != 97]


def test_what_is_well_is_called_well() -> None:
    judged = judge([SENT], _truths(at_3000=ALL_BUT_THE_REFUSED), _kept())
    assert (judged.wrong, judged.lost, judged.at_two, judged.duplicates["3000"]) == ([], [], [], 0)
    spent = sum(price_of("3000", to, TEXTS[0])[0] for to in NUMBERS if to % 100 not in {90, 91, 92, 93, 97})
    assert judged.account.customers == {"customer": spent}
    assert money_differences(judged.account, judged.account) == []
    assert money_differences(judged.account, Account()) != []


@pytest.mark.parametrize(
    ("taken", "kept", "wrong"),
    [
        ([*ALL_BUT_THE_REFUSED, NUMBERS[5]], {}, "duplicates"),
        (ALL_BUT_THE_REFUSED[1:], {}, "wrong"),  # charged, and nobody has it
        (ALL_BUT_THE_REFUSED[1:], {"row0": Kept(1, None, False, False)}, "lost"),
        (ALL_BUT_THE_REFUSED, {"row0": Kept(1, None, False, False)}, "wrong"),
        (ALL_BUT_THE_REFUSED, {"row0": Kept(1, "blocked", True, False)}, "wrong"),
        (ALL_BUT_THE_REFUSED, {"row0": Kept(1, None, False, True)}, "wrong"),  # of unknown fate, where one can ask
        (ALL_BUT_THE_REFUSED, {"row0": Kept(2, "delivered", True, False)}, "lost"),
    ],
)
def test_what_is_wrong_is_found(taken: list[int], kept: dict[str, Kept], wrong: str) -> None:
    judged = judge([SENT], _truths(at_3000=taken), _kept(**kept))
    found = {"wrong": judged.wrong, "lost": judged.lost, "duplicates": judged.duplicates["3000"]}
    assert found[wrong]


def test_a_message_at_two_operators_is_found() -> None:
    judged = judge([SENT], _truths(at_3000=ALL_BUT_THE_REFUSED, at_2000=[NUMBERS[3]]), _kept())
    assert judged.at_two == [NUMBERS[3]]


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1])
def test_everything_fails_and_nothing_breaks(seed: int) -> None:
    with staged(seed=seed) as stage:
        told = Told(seed)
        run(stage, told, minutes=0.15, messages=400, kills=5)
    assert told.broke == []
    assert told.figures["messages"] == 400
    assert told.figures["kills_in_all"] >= 3
    assert told.figures["verified_during"] > 0


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """A running panel; what the points leave behind comes to its end after the last one, and is compared then."""
    with staged(seed=1, parts=(*PARTS, "worker-2"), is_pointed=True) as stage, benched(stage) as found:
        told, start = Told(1), ledger_of(stage)
        yield found
        told.broke += found.settle()
        verify_after(stage, told)
        compare(stage, found.sent, start, told)
    assert told.broke == []


@pytest.mark.faults
@pytest.mark.timeout(120)
@pytest.mark.parametrize("point", [each for each in POINTS if each.is_quick], ids=lambda each: each.code)
def test_a_crash_leaves_the_state_that_was_named(bench: Bench, point: Point) -> None:
    assert try_point(bench, point, times=1) == []
