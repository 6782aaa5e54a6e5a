"""Numbers, money and refusals as the reader writes them."""

import pytest
from flask import Flask, render_template_string

from sms.core.errors import Refusal
from sms.core.web import filters
from sms.core.web.i18n import say
from sms.ledger.rules import InsufficientBalance

ENGLISH = {"HTTP_COOKIE": "language=en"}


@pytest.mark.parametrize(
    ("mrial", "persian", "english"),
    [
        (0, "۰ ریال", "0 rial"),
        (1_390_000, "۱٬۳۹۰ ریال", "1,390 rial"),
        (1_463_500, "۱٬۴۶۳٫۵ ریال", "1,463.5 rial"),
        (3_990_255, "۳٬۹۹۰٫۲۵۵ ریال", "3,990.255 rial"),
        (-5_000, "\u2212۵ ریال", "\u22125 rial"),
        (5_000_000_000_000, "۵٬۰۰۰٬۰۰۰٬۰۰۰ ریال", "5,000,000,000 rial"),
    ],
)
def test_money_is_exact_and_says_its_unit(app: Flask, mrial: int, persian: str, english: str) -> None:
    with app.test_request_context("/"):
        assert filters.money_text(mrial) == persian
    with app.test_request_context("/", environ_overrides=ENGLISH):
        assert filters.money_text(mrial) == english


@pytest.mark.parametrize(("share", "text"), [(0, "0%"), (0.004, "0.4%"), (0.0523, "5.2%"), (0.9, "90%"), (1, "100%")])
def test_shares_are_percentages(app: Flask, share: float, text: str) -> None:
    with app.test_request_context("/", environ_overrides=ENGLISH):
        assert filters.percent_text(share) == text


def test_phones_are_written_as_people_do(app: Flask) -> None:
    with app.test_request_context("/"):
        assert filters.phone_text(989123456789) == "۰۹۱۲۳۴۵۶۷۸۹"


def test_a_constant_in_a_template_is_told_to_each_reader_in_his_own_language(app: Flask) -> None:
    template = "{{ 1200|number_text }}"
    with app.test_request_context("/"):
        assert render_template_string(template) == "۱٬۲۰۰"
    with app.test_request_context("/", environ_overrides=ENGLISH):
        assert render_template_string(template) == "1,200"


def test_a_refusals_places_are_localised(app: Flask) -> None:
    refusal = Refusal("The text has %(parts)s parts; an operator takes %(most)s at most.", parts=300, most=265)
    with app.test_request_context("/"):
        assert "۳۰۰" in say(refusal)
        assert "۲۶۵" in say(refusal)
        assert say(InsufficientBalance(missing_mrial=1_000)) != "The balance is not enough."


def test_what_no_catalogue_knows_is_said_in_english(app: Flask) -> None:
    with app.test_request_context("/"):
        assert say(Refusal("There is no Persian for this.")) == "There is no Persian for this."
