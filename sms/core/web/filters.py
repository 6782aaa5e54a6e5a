"""Numbers, money, phones and moments as the reader writes them: plain text; the `ui` macros put the markup around."""

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal

from flask import Flask, has_request_context
from flask_login import current_user
from jinja2 import pass_context
from jinja2.runtime import Context
from persiantools.digits import en_to_fa

from sms.core import calendar, clock, phone
from sms.core.money import MRIAL_PER_RIAL, RIAL_PER_TOMAN
from sms.core.web.catalogue import _, language

_MINUS = "\u2212"


def init_app(app: Flask) -> None:
    """Give templates the filters, and `now`."""
    app.jinja_env.globals.update(now=clock.now)
    for function in (
        digits,
        number_text,
        percent_text,
        money_text,
        amount_text,
        phone_text,
        day_text,
        moment_text,
        clock_text,
    ):
        app.jinja_env.filters[function.__name__] = _for_each_reader(function)


def _for_each_reader(function: Callable[..., str]) -> Callable[..., str]:
    """A filter that is asked at every rendering: without the context Jinja computes constants once, in the language of
    whoever came first."""

    @pass_context
    def asked(_context: Context, *args: object, **kwargs: object) -> str:
        return function(*args, **kwargs)

    return asked


def digits(text: object) -> str:
    """Any text with its digits in the reader's script."""
    return str(en_to_fa(str(text))) if language() == "fa" else str(text)


def number_text(number: float | Decimal) -> str:
    """A number grouped by thousands."""
    sign = _MINUS if number < 0 else ""
    grouped = f"{abs(number):,}"
    if "." in grouped:
        grouped = grouped.rstrip("0").rstrip(".")
    if language() == "fa":
        return sign + str(en_to_fa(grouped.replace(",", "٬").replace(".", "٫")))
    return sign + grouped


def percent_text(share: float) -> str:
    """A share between 0 and 1 as a percentage, with one digit after the point below ten."""
    percent = Decimal(share * 100).quantize(Decimal("0.1") if share < 0.1 else Decimal(1))  # noqa: PLR2004
    return number_text(percent) + ("٪" if language() == "fa" else "%")


def money_unit() -> str:
    """The unit the reader's account chose: rial or toman."""
    return getattr(current_user, "money_unit", "rial") if has_request_context() else "rial"


def amount_text(mrial: int) -> str:
    """An amount without its unit, exact to the milli-rial."""
    per_unit = MRIAL_PER_RIAL * (RIAL_PER_TOMAN if money_unit() == "toman" else 1)
    return number_text(Decimal(mrial) / per_unit if mrial % per_unit else mrial // per_unit)


def money_text(mrial: int) -> str:
    """An amount with its unit."""
    unit = _("toman") if money_unit() == "toman" else _("rial")
    return f"{amount_text(mrial)} {unit}"


def phone_text(number: int) -> str:
    """A mobile number as people write it."""
    return digits(phone.local(number))


def day_text(day: date) -> str:
    """A day in the reader's calendar."""
    return calendar.day_text(calendar.day_of(day) if isinstance(day, datetime) else day, language())


def moment_text(moment: datetime) -> str:
    """A moment in the reader's calendar, Tehran time."""
    return calendar.moment_text(moment, language())


def clock_text(moment: datetime | time) -> str:
    """Hours and minutes, Tehran time."""
    if isinstance(moment, time):
        return calendar.time_text(moment, language())
    return calendar.clock_text(moment, language())
