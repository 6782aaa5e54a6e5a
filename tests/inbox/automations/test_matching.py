"""How texts are recognised: letters, digits, half spaces, marks and case as people mix them up."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.inbox.automations.rules.matching import Hours, Way, match, words_of

NOON = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)  # in Tehran


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("عضويت", ("عضویت",)),
        ("كتاب", ("کتاب",)),
        ("می‌خواهم", ("می", "خواهم")),
        ("کد ۱۲۳ ٤٥٦ 789", ("کد", "123", "456", "789")),
        ("  Yes!!  ", ("yes",)),
        ("ｙｅｓ", ("yes",)),
        ("سَلام", ("سلام",)),
        ("ســـلام", ("سلام",)),
        ("آب", ("آب",)),
        ("مسئول", ("مسیول",)),
        ("«قیمت»؟", ("قیمت",)),
        ("\u202eoff\u202c", ("off",)),
        ("ﻻ", ("لا",)),
        ("👍 ok", ("👍", "ok")),
        ("a\nb\tc", ("a", "b", "c")),
        ("!؟", ()),
        ("", ()),
    ],
)
def test_words_are_compared_as_people_mean_them(text: str, words: tuple[str, ...]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("way", "keyword", "body", "rest"),
    [
        (Way.EXACT, "قیمت", "قيمت", ()),
        (Way.EXACT, "قیمت", " «قیمت» ", ()),
        (Way.EXACT, "می‌خواهم", "میخواهم", ()),
        (Way.EXACT, "میخواهم", "می خواهم", ()),
        (Way.EXACT, "قیمت", "قیمت چند", None),
        (Way.EXACT, "۱۱", "11", ()),
        (Way.STARTS, "کد", "کد ۱۲ ۳۴", ("12", "34")),
        (Way.STARTS, "کد", "کدام", None),
        (Way.STARTS, "کد", "این کد", None),
        (Way.STARTS, "رای من", "رای‌من 2", ("2",)),
        (Way.CONTAINS, "قیمت", "سلام قیمت چنده", ("سلام", "چنده")),
        (Way.CONTAINS, "کتاب", "کتابها را", ("کتابها", "را")),
        (Way.CONTAINS, "off", "so free", None),
        (Way.ANY, "", "هر چه", ("هر", "چه")),
        (Way.EXACT, "STOP", "stop", ()),
    ],
)
def test_a_keyword_is_found_where_it_is_looked_for(
    way: Way, keyword: str, body: str, rest: tuple[str, ...] | None
) -> None:
    found = match(way, [keyword], body)
    assert (found.rest if found else None) == rest


def test_the_first_keyword_that_fits_is_told() -> None:
    found = match(Way.STARTS, ["نه", "بله"], "بله 3")
    assert found is not None
    assert found.keyword == "بله"


@given(st.text(max_size=200), st.text(max_size=20))
def test_any_text_can_be_looked_at(body: str, keyword: str) -> None:
    for way in Way:
        match(way, [keyword], body)
    assert all(words_of(" ".join(words_of(body))))


@given(st.text(alphabet="قیمت عضوbc12", min_size=1, max_size=12))
def test_a_text_is_its_own_keyword(text: str) -> None:
    if words_of(text):
        assert match(Way.EXACT, [text], text) is not None
        assert match(Way.STARTS, [text], text + " 5") is not None


@pytest.mark.parametrize(
    ("hours", "moment", "holds"),
    [
        (Hours(), NOON, True),
        (Hours(time(8), time(20)), NOON, True),
        (Hours(time(8), time(12)), NOON, False),
        (Hours(time(12), time(13)), NOON, True),
        (Hours(time(22), time(6)), NOON, False),
        (Hours(time(22), time(6)), NOON + timedelta(hours=11), True),
        (Hours(time(22), time(6)), NOON + timedelta(hours=17), True),
        (Hours(time(9), time(9)), NOON, True),
        (Hours(begins_at=NOON), NOON, True),
        (Hours(begins_at=NOON + timedelta(seconds=1)), NOON, False),
        (Hours(ends_at=NOON), NOON, False),
        (Hours(ends_at=NOON + timedelta(seconds=1)), NOON, True),
    ],
)
def test_hours_are_those_of_tehran_and_may_go_over_midnight(hours: Hours, moment: datetime, holds: bool) -> None:
    assert hours.holds(moment) is holds
