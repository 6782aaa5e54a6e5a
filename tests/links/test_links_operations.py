"""Links on a real PostgreSQL: made, changed, given to runs of ids, clicked and counted once."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy.exc import ProgrammingError

from sms.core.actor import PANEL, Actor
from sms.core.db import execute, row, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.links import operations, queries
from sms.links.operations import Given
from sms.links.rules.clicks import AgentKind
from sms.links.rules.domains import DeniedTarget, Verdict
from sms.links.rules.links import LinkState, NewLink, Standing
from sms.links.rules.targets import UnusableTarget
from tests.factories import AT, make_account

pytestmark = pytest.mark.usefixtures("app")
TARGET = "https://example.ir/sale"
FIRST = 1 << 47


def add(account_id: int, target: str = TARGET, **more: Any) -> int:
    with transaction():
        return operations.add_link(account_id=account_id, wanted=NewLink(target=target, **more), by=PANEL, at=AT)


def give(account_id: int, link_id: int, count: int = 100, first_id: int = FIRST) -> Given:
    with transaction():
        return operations.give(
            link_id=link_id, account_id=account_id, first_id=first_id, count=count, begins_at=AT, at=AT
        )


def say(domain: str, verdict: Verdict) -> int:
    with transaction():
        return operations.list_domain(domain=domain, verdict=verdict, note="", by=PANEL, at=AT)


def click(
    given: Given, message_id: int, *, at: datetime = AT, kind: AgentKind = AgentKind.PERSON, visitor: str = "1.2.3.4"
) -> None:
    found = queries.by_use_code(given.use.code)
    assert found is not None
    with transaction():
        operations.click(found=found, message_id=message_id, kind=kind, visitor=visitor, at=at)


def nothing_sent(_ids: Sequence[int]) -> Mapping[int, datetime]:
    return {}


def count(sent_at: operations.SentAt = nothing_sent, most: int = 1000) -> int:
    with transaction():
        return operations.count_some(sent_at=sent_at, most=most)


def test_a_link_is_checked_and_its_accounts_own() -> None:
    account_id, user_id, _ = make_account()
    stranger, *_ = make_account()
    with transaction():
        wanted = NewLink(target=f" {TARGET} ", title=" Spring  sale ", utm={"utm_source": "sms"})
        link_id = operations.add_link(account_id=account_id, wanted=wanted, by=Actor(id=user_id), at=AT)
    found = queries.link(account_id, link_id, at=AT)
    assert (found.target, found.host, found.title, found.utm) == (
        TARGET,
        "example.ir",
        "Spring sale",
        {"utm_source": "sms"},
    )
    assert found.address == f"http://localhost/l/{found.code}"
    assert found.standing is Standing.ACTIVE
    assert [link.id for link in queries.links(account_id, at=AT)] == [link_id]
    assert queries.links(stranger, at=AT) == []
    with pytest.raises(NotFound):
        queries.link(stranger, link_id, at=AT)
    with pytest.raises(NotFound), transaction():
        operations.switch_link(link_id=link_id, account_id=stranger, state=LinkState.OFF, by=PANEL, at=AT)
    with pytest.raises(NotFound), transaction():
        operations.change_link(link_id=link_id, account_id=stranger, title="", utm={}, expires_at=None, by=PANEL, at=AT)
    with pytest.raises(NotFound):
        give(stranger, link_id)
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'link.added'") == 1


@pytest.mark.parametrize("target", ["javascript:alert(1)", "http://127.0.0.1/", "http://localhost/l/abcdefg", "x"])
def test_a_link_that_may_not_be_is_not_made(target: str) -> None:
    account_id, *_ = make_account()
    with pytest.raises(UnusableTarget):
        add(account_id, target)
    assert scalar("SELECT count(*) FROM links_link") == 0


def test_a_short_address_of_ours_is_not_shortened_again() -> None:
    account_id, *_ = make_account()
    with transaction():
        operations.set_settings(
            short_base="https://s.example.ir", prefetch_seconds=2, preview_signs=[], by=PANEL, at=AT
        )
    with pytest.raises(UnusableTarget, match="short address already"):
        add(account_id, "https://s.example.ir/l/abcdefg")


def test_where_a_link_leads_never_changes_not_even_by_hand() -> None:
    account_id, *_ = make_account()
    link_id = add(account_id)
    with pytest.raises(ProgrammingError), transaction():
        execute("UPDATE links_link SET target = 'https://evil.ir/' WHERE id = :id", id=link_id)
    for table in ("links_click", "links_use"):
        with pytest.raises(ProgrammingError), transaction():
            execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
    assert queries.link(account_id, link_id, at=AT).target == TARGET


def test_title_end_and_parameters_change_and_a_link_is_switched() -> None:
    account_id, *_ = make_account()
    link_id = add(account_id)
    ends = AT + timedelta(days=1)
    with transaction():
        operations.change_link(
            link_id=link_id,
            account_id=account_id,
            title="Autumn",
            utm={"utm_medium": "text"},
            expires_at=ends,
            by=PANEL,
            at=AT,
        )
    found = queries.link(account_id, link_id, at=AT)
    assert (found.title, found.utm, found.expires_at, found.standing) == (
        "Autumn",
        {"utm_medium": "text"},
        ends,
        Standing.ACTIVE,
    )
    assert queries.link(account_id, link_id, at=ends).standing is Standing.EXPIRED
    with transaction():
        operations.switch_link(link_id=link_id, account_id=account_id, state=LinkState.OFF, by=PANEL, at=AT)
    assert queries.link(account_id, link_id, at=AT).standing is Standing.OFF
    with pytest.raises(Refusal, match="still to come"), transaction():
        operations.change_link(link_id=link_id, account_id=account_id, title="", utm={}, expires_at=AT, by=PANEL, at=AT)


def test_a_domain_is_denied_for_new_links_and_for_those_there_are_and_let_go_again() -> None:
    account_id, *_ = make_account()
    link_id = add(account_id, "https://shop.example.ir/")
    other_id = add(account_id, "https://example.com/")
    row_id = say("https://www.example.ir/x", Verdict.DENY)
    with pytest.raises(DeniedTarget):
        add(account_id, "https://a.b.example.ir/")
    standings = {link.id: link.standing for link in queries.links(account_id, at=AT)}
    assert standings == {link_id: Standing.DENIED, other_id: Standing.ACTIVE}
    refusal = queries.refusal_of(account_id, link_id, at=AT)
    assert refusal is not None
    assert "staff have blocked" in refusal.message
    with pytest.raises(Refusal):
        give(account_id, link_id)

    say("shop.example.ir", Verdict.ALLOW)
    assert queries.refusal_of(account_id, link_id, at=AT) is None
    with transaction():
        operations.end_domain(domain_id=row_id, by=PANEL, at=AT)
    with pytest.raises(NotFound), transaction():
        operations.end_domain(domain_id=row_id, by=PANEL, at=AT)
    found = queries.by_link_code(queries.link(account_id, add(account_id, "https://example.ir/"), at=AT).code)
    assert found is not None
    judged = queries.judged(found.target, at=AT)
    assert (judged.is_denied, judged.signs) == (False, {"lately_denied"})


def test_what_is_said_of_a_domain_last_holds_alone_and_all_that_was_said_stays() -> None:
    for verdict in (Verdict.DENY, Verdict.ALLOW, Verdict.PREVIEW):
        say("example.ir", verdict)
    found = rows("SELECT verdict, ended_at FROM links_domain WHERE domain = 'example.ir' ORDER BY id")
    assert [(each.verdict, each.ended_at is None) for each in found] == [
        ("deny", False),
        ("allow", False),
        ("preview", True),
    ]


@pytest.mark.parametrize(
    ("state", "expires_in", "begins_in", "problem"),
    [
        ("active", None, 0, None),
        ("active", 2, 1, None),
        ("active", 2, 3, "expired by then"),
        ("off", None, 0, "switched off"),
    ],
)
def test_a_link_is_given_only_when_it_leads_somewhere_by_then(
    state: str, expires_in: int | None, begins_in: int, problem: str | None
) -> None:
    account_id, *_ = make_account()
    link_id = add(account_id, expires_at=AT + timedelta(days=expires_in) if expires_in else None)
    with transaction():
        operations.switch_link(link_id=link_id, account_id=account_id, state=LinkState(state), by=PANEL, at=AT)
    begins_at = AT + timedelta(days=begins_in)
    if problem is None:
        with transaction():
            operations.give(link_id=link_id, account_id=account_id, first_id=FIRST, count=5, begins_at=begins_at, at=AT)
    else:
        with pytest.raises(Refusal, match=problem), transaction():
            operations.give(link_id=link_id, account_id=account_id, first_id=FIRST, count=5, begins_at=begins_at, at=AT)


def test_what_was_given_keeps_its_addresses_when_the_short_domain_changes() -> None:
    account_id, *_ = make_account()
    link_id = add(account_id)
    before = give(account_id, link_id)
    with transaction():
        operations.set_settings(
            short_base="https://s.example.ir/", prefetch_seconds=2, preview_signs=["number"], by=PANEL, at=AT
        )
    after = give(account_id, link_id)
    assert queries.use(before.id).address(FIRST).startswith("http://localhost/l/")
    assert queries.use(after.id).address(FIRST).startswith("https://s.example.ir/l/")
    assert before.use.code != after.use.code
    assert before.use.address(FIRST)[-9:] != after.use.address(FIRST)[-9:]
    assert queries.use(before.id) == before.use


def test_clicks_are_counted_once_by_hour_and_by_recipient_with_programs_apart() -> None:
    account_id, *_ = make_account()
    link_id = add(account_id)
    given = give(account_id, link_id)
    later = AT + timedelta(hours=1, minutes=5)
    click(given, FIRST)
    click(given, FIRST, at=later)
    click(given, FIRST + 1, at=later)
    click(given, FIRST + 2, kind=AgentKind.PREVIEW)
    click(given, FIRST + 2, kind=AgentKind.TOOL, at=later)
    assert count() == 5
    assert count() == 0
    click(given, FIRST + 1, at=later)
    assert count() == 1

    clicks = queries.clicks_of_use(given.id)
    assert (clicks.click_count, clicks.recipient_count, clicks.bot_count) == (4, 2, 2)
    begins = AT - timedelta(minutes=30)  # the hour on Tehran's clock
    assert clicks.points == ((begins, 1), (begins + timedelta(hours=1), 3))
    assert queries.clicks_of_link(link_id) == clicks
    assert queries.first_clicks(low=FIRST, high=FIRST + 99) == {FIRST: (AT, 2), FIRST + 1: (later, 2)}
    listed = queries.link(account_id, link_id, at=AT)
    assert (listed.click_count, listed.recipient_count, listed.bot_count) == (4, 2, 2)


def test_a_click_before_anybody_can_have_read_the_text_is_a_programs() -> None:
    account_id, *_ = make_account()
    given = give(account_id, add(account_id))
    for place, seconds in enumerate((0.5, 1.9, 2.1, 60)):
        click(given, FIRST + place, at=AT + timedelta(seconds=seconds))
    count(lambda ids: dict.fromkeys(ids, AT))
    clicks = queries.clicks_of_use(given.id)
    assert (clicks.click_count, clicks.recipient_count, clicks.bot_count) == (2, 2, 2)
    assert set(queries.first_clicks(low=FIRST, high=FIRST + 9)) == {FIRST + 2, FIRST + 3}


def test_the_plain_address_counts_without_a_recipient() -> None:
    account_id, *_ = make_account()
    link_id = add(account_id)
    found = queries.by_link_code(queries.link(account_id, link_id, at=AT).code)
    assert found is not None
    with transaction():
        operations.click(found=found, message_id=None, kind=AgentKind.PERSON, visitor="1.2.3.4", at=AT)
    count()
    clicks = queries.clicks_of_link(link_id)
    assert (clicks.click_count, clicks.recipient_count) == (1, 0)


def test_nobodys_address_is_kept_and_days_cannot_be_joined() -> None:
    account_id, *_ = make_account()
    given = give(account_id, add(account_id))
    for days, visitor in ((0, "5.6.7.8"), (0, "5.6.7.8"), (0, "5.6.7.9"), (1, "5.6.7.8")):
        click(given, FIRST, at=AT + timedelta(days=days), visitor=visitor)
    kept = [bytes(each.visitor) for each in rows("SELECT visitor FROM links_click ORDER BY id")]
    assert kept[0] == kept[1]
    assert len(set(kept)) == 3
    assert {len(each) for each in kept} == {8}
    everything = str(rows("SELECT c::text FROM links_click c"))
    assert "5.6.7" not in everything


def test_eight_counting_at_once_count_each_click_once(app: Flask) -> None:
    account_id, *_ = make_account()
    link_id = add(account_id)
    given = give(account_id, link_id, count=300)
    for place in range(300):
        click(given, FIRST + place % 100, at=AT + timedelta(minutes=place))

    def work(_number: int) -> int:
        with app.app_context():
            done = 0
            while counted := count(most=17):
                done += counted
            return done

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 300
    clicks = queries.clicks_of_link(link_id)
    assert (clicks.click_count, clicks.recipient_count) == (300, 100)
    assert scalar("SELECT sum(click_count) FROM links_recipient") == 300


def test_a_count_that_is_broken_off_counts_nothing() -> None:
    account_id, *_ = make_account()
    link_id = add(account_id)
    given = give(account_id, link_id)
    click(given, FIRST)

    def broken_off(_ids: Sequence[int]) -> Mapping[int, datetime]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        count(broken_off)
    assert queries.clicks_of_link(link_id).click_count == 0
    count()
    assert queries.clicks_of_link(link_id).click_count == 1


def test_programs_are_known_by_a_piece_of_their_name() -> None:
    with transaction():
        operations.add_agent(pattern=" MyChecker/ ", kind=AgentKind.TOOL, by=PANEL, at=AT)
    agent = row("SELECT * FROM links_agent WHERE pattern = 'mychecker/'")
    assert agent is not None
    assert agent.kind == "tool"
    for pattern, kind in (("ab", AgentKind.TOOL), ("long enough", AgentKind.PERSON), ("x" * 61, AgentKind.TOOL)):
        with pytest.raises(Refusal), transaction():
            operations.add_agent(pattern=pattern, kind=kind, by=PANEL, at=AT)
    with transaction():
        operations.remove_agent(agent_id=agent.id, by=PANEL, at=AT)
    with pytest.raises(NotFound), transaction():
        operations.remove_agent(agent_id=agent.id, by=PANEL, at=AT)


@pytest.mark.parametrize(
    "changes", [{"short_base": "https://x.ir/path"}, {"prefetch_seconds": 61}, {"prefetch_seconds": -1}]
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Refusal), transaction():
        operations.set_settings(
            **{"short_base": "", "prefetch_seconds": 2, "preview_signs": [], "by": PANEL, "at": AT, **changes}
        )
    assert queries.link_settings().base == "http://localhost"


def test_a_database_that_already_has_sends_gets_the_tables(settings: Any) -> None:
    """The lists begin with what is known everywhere."""
    with psycopg.connect(settings.database_url) as owner:
        assert owner.execute("SELECT count(*) FROM links_setting").fetchone() == (1,)
    assert {"whatsapp", "telegrambot"} <= {agent.pattern for agent in queries.agents()}
    assert "bit.ly" in {each.domain for each in queries.domains()}
