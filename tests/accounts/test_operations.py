"""Accounts, users, passwords, sessions and the audit on PostgreSQL."""

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from flask import Flask
from sqlalchemy.exc import ProgrammingError

from jobs import accounts as jobs
from sms.accounts import operations, queries
from sms.accounts.rules import (
    SAMPLE_PASSWORD,
    AccountKind,
    By,
    NewUser,
    Role,
    SignedIn,
    Suspended,
    UnusablePassword,
    UsernameTaken,
    WrongCredentials,
)
from sms.accounts.tree import operations as tree
from sms.accounts.tree.queries import suspensions
from sms.core import clock
from sms.core.config import Settings, use
from sms.core.db import execute, row, scalar, transaction
from sms.core.errors import NotFound, Refusal
from tests.accounts.conftest import PASSWORD, Make, Person, actions

OTHER = "another walk, another river"


def _by(minutes: float = 0, actor_id: int | None = None) -> By:
    return By(
        actor_id=actor_id,
        at=clock.now() + timedelta(minutes=minutes),
        address="203.0.113.9",
        agent="Mozilla/5.0 Firefox/128.0",
    )


def _sign_in(username: str, password: str = PASSWORD, minutes: float = 0) -> SignedIn:
    with transaction():
        return operations.sign_in(username=username, password=password, by=_by(minutes))


def _is_alive(token: str, minutes: float = 0) -> bool:
    return queries.session(token=token, at=clock.now() + timedelta(minutes=minutes)) is not None


# The tree


def test_an_account_knows_its_place_in_the_tree(make: Make) -> None:
    reseller = make("sahar", kind="reseller")
    with transaction():
        child_id, user_id = operations.create_account(
            parent_id=reseller.account_id,
            kind="customer",
            name="A shop",
            username="Child",
            password=PASSWORD,
            full_name="",
            mobile=None,
            actor_id=None,
            at=clock.now(),
        )
    child, parent = queries.account(child_id), queries.account(reseller.account_id)
    assert child.path == f"{parent.path}{child_id}."
    assert parent.parent_id == queries.root_id()
    assert queries.user_by_name("child").id == user_id
    assert [each.id for each in queries.sub_accounts(reseller.account_id)] == [child_id]


@pytest.mark.parametrize(
    ("kind", "below"), [("customer", "customer"), ("reseller", "customer"), ("installation", "reseller")]
)
def test_some_accounts_cannot_stand_below_others(make: Make, kind: str, below: str) -> None:
    parent = make("parent", kind=below)
    owner = NewUser(username="child", password=PASSWORD)
    with pytest.raises(Refusal), transaction():
        operations.open_account(
            parent_id=parent.account_id, kind=AccountKind(kind), name="Child", owner=owner, by=_by()
        )
    assert queries.sub_accounts(parent.account_id) == []


def test_there_is_one_installation(app: Flask) -> None:
    owner = NewUser(username="keeper", password=PASSWORD)
    with pytest.raises(NotFound):
        queries.root_id()
    with transaction():
        made = operations.open_account(
            parent_id=None, kind=AccountKind.INSTALLATION, name="The house", owner=owner, by=_by()
        )
    assert queries.root_id() == made[0]
    with pytest.raises(Refusal), transaction():
        operations.open_account(
            parent_id=None,
            kind=AccountKind.INSTALLATION,
            name="Another",
            owner=replace(owner, username="second"),
            by=_by(),
        )


def test_a_taken_user_name_leaves_no_account_behind(make: Make) -> None:
    make("sara")
    before = scalar("SELECT count(*) FROM accounts_account")
    owner = NewUser(username="SARA", password=PASSWORD)
    with pytest.raises(UsernameTaken), transaction():
        operations.open_account(parent_id=None, kind=AccountKind.CUSTOMER, name="Shop", owner=owner, by=_by())
    assert scalar("SELECT count(*) FROM accounts_account") == before


def test_what_is_not_there_is_told_so(make: Make) -> None:
    mine, other = make("mine"), make("other")
    with pytest.raises(NotFound):
        queries.account(10**15)
    with pytest.raises(NotFound):
        queries.user_by_name("nobody")
    with pytest.raises(NotFound):
        queries.user(mine.account_id, other.user_id)
    with pytest.raises(NotFound), transaction():
        operations.reset_password(account_id=mine.account_id, user_id=other.user_id, by=_by())


# Signing in


def test_the_right_password_starts_a_session_whose_token_is_not_kept(make: Make) -> None:
    person = make("sara")
    signed = _sign_in(" Sara ")
    live = queries.session(token=signed.token, at=clock.now())
    assert live is not None
    assert (live.visitor.id, live.visitor.account_id, live.visitor.account_kind) == (
        person.user_id,
        person.account_id,
        "customer",
    )
    kept = row("SELECT * FROM accounts_session")
    assert kept is not None
    assert signed.token.encode() not in bytes(kept.token_hash)
    assert len(signed.token) >= 43  # 256 bits
    assert (kept.address, kept.agent) == ("203.0.113.9", "Mozilla/5.0 Firefox/128.0")
    assert actions(person.account_id)[-1] == "user.signed_in"


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("sara", OTHER),
        ("nobody", PASSWORD),
        ("sara", PASSWORD + " "),
        ("sara", ""),
        ("", PASSWORD),
        ("sara", "x" * 10**6),
    ],
)
def test_wrong_names_and_wrong_passwords_are_told_alike(make: Make, username: str, password: str) -> None:
    make("sara")
    with pytest.raises(WrongCredentials):
        _sign_in(username, password)
    assert scalar("SELECT count(*) FROM accounts_session") == 0


def test_an_unknown_user_costs_the_same_work(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    make("sara")
    tried: list[str] = []
    monkeypatch.setattr(operations, "_is_right", lambda password_hash, _password: bool(tried.append(password_hash)))
    for username in ("sara", "nobody", "no user name at all"):
        with pytest.raises(WrongCredentials):
            _sign_in(username)
    assert [each.split("$")[1:4] for each in tried] == [["argon2id", "v=19", "m=19456,t=2,p=1"]] * 3


def test_a_password_with_persian_digits_is_verified_exactly_as_typed(make: Make) -> None:
    make("sara")
    user = queries.user_by_name("sara")
    with transaction():
        operations.set_password(account_id=user.account_id, user_id=user.id, password="خواب دریا ۴۵۶", by=_by())
    assert _sign_in("sara", "خواب دریا ۴۵۶")
    for near in ("خواب دریا 456", "خواب دريا ۴۵۶", "خواب دریا ٤٥٦"):
        with pytest.raises(WrongCredentials):
            _sign_in("sara", near)


def test_who_is_suspended_or_deactivated_is_out_at_once_and_stays_out(make: Make) -> None:
    person = make("sara")
    member = make("member", account_id=person.account_id, role=Role.MEMBER)
    tokens = [_sign_in(name).token for name in ("sara", "member")]

    with transaction():
        operations.switch_user(account_id=person.account_id, user_id=member.user_id, is_active=False, by=_by())
    assert [_is_alive(token) for token in tokens] == [True, False]
    with pytest.raises(Suspended):
        _sign_in("member")

    with transaction():
        tree.suspend(account_id=person.account_id, reason="unpaid", by=_by(actor_id=person.user_id))
    assert not _is_alive(tokens[0])
    with pytest.raises(Suspended):
        _sign_in("sara")
    with pytest.raises(WrongCredentials):
        _sign_in("sara", OTHER)  # a stranger does not learn that the account is suspended
    (last,) = suspensions(person.account_id)
    assert (last.reason, last.username) == ("unpaid", "sara")

    with transaction():
        tree.resume(account_id=person.account_id, reason="paid", by=_by())
    assert not _is_alive(tokens[0])
    assert _sign_in("sara")


def test_suspension_moves_only_where_it_may(make: Make) -> None:
    person = make("sara")
    with pytest.raises(Refusal), transaction():
        tree.resume(account_id=person.account_id, reason="x", by=_by())
    with pytest.raises(Refusal), transaction():
        tree.suspend(account_id=queries.root_id(), reason="x", by=_by())
    with pytest.raises(Refusal), transaction():
        operations.switch_user(
            account_id=person.account_id, user_id=person.user_id, is_active=False, by=_by(actor_id=person.user_id)
        )


def test_production_refuses_the_sample_password_everywhere(make: Make, settings: Settings) -> None:
    person = make("sara")
    with transaction():
        operations.set_password(
            account_id=person.account_id, user_id=person.user_id, password=SAMPLE_PASSWORD, by=_by()
        )
    assert _sign_in("sara", SAMPLE_PASSWORD)
    use(replace(settings, mode="production"))
    try:
        with pytest.raises(WrongCredentials):
            _sign_in("sara", SAMPLE_PASSWORD)
        with pytest.raises(UnusablePassword), transaction():
            operations.sign_up(account_name="Shop", user=NewUser(username="reza", password=SAMPLE_PASSWORD), by=_by())
        with pytest.raises(UnusablePassword), transaction():
            operations.add_user(
                account_id=person.account_id, user=NewUser(username="reza", password=SAMPLE_PASSWORD), by=_by()
            )
    finally:
        use(settings)


# Sessions


@pytest.mark.parametrize(("kind", "idle_minutes"), [("customer", 12 * 60), ("installation", 30)])
def test_an_idle_session_ends(make: Make, kind: str, idle_minutes: int) -> None:
    make("sara", kind=kind)
    token = _sign_in("sara").token
    assert _is_alive(token, idle_minutes - 1)
    assert not _is_alive(token, idle_minutes + 1)


def test_a_used_session_lives_on_but_not_beyond_seven_days(make: Make) -> None:
    make("sara")
    token, at = _sign_in("sara").token, clock.now()
    for hours in range(11, 7 * 24 - 1, 11):
        live = queries.session(token=token, at=at + timedelta(hours=hours))
        assert live is not None
        with transaction():
            operations.touch_session(
                token=token, kind="customer", created_at=live.created_at, at=at + timedelta(hours=hours)
            )
    assert not _is_alive(token, 7 * 24 * 60 + 1)


def test_changing_the_password_ends_the_other_sessions(make: Make) -> None:
    person = make("sara")
    here, there = _sign_in("sara").token, _sign_in("sara").token
    who = {"account_id": person.account_id, "user_id": person.user_id, "token": here, "by": _by()}
    with pytest.raises(WrongCredentials), transaction():
        operations.change_password(current=OTHER, new="a third river, a third walk", **who)  # type: ignore[arg-type]
    with pytest.raises(UnusablePassword), transaction():
        operations.change_password(current=PASSWORD, new="sara123456", **who)  # type: ignore[arg-type]
    with pytest.raises(Refusal), transaction():
        operations.change_password(current=PASSWORD, new=PASSWORD, **who)  # type: ignore[arg-type]
    with transaction():
        operations.change_password(current=PASSWORD, new=OTHER, **who)  # type: ignore[arg-type]
    assert _is_alive(here)
    assert not _is_alive(there)
    assert _sign_in("sara", OTHER)
    with pytest.raises(WrongCredentials):
        _sign_in("sara", PASSWORD)


def test_a_reset_password_is_random_ends_every_session_and_wears_off(make: Make) -> None:
    person = make("sara")
    token = _sign_in("sara").token
    with transaction():
        made = operations.reset_password(account_id=person.account_id, user_id=person.user_id, by=_by())
    assert not _is_alive(token)
    live = queries.session(token=_sign_in("sara", made).token, at=clock.now())
    assert live is not None
    assert live.visitor.must_change_password
    with pytest.raises(WrongCredentials):
        _sign_in("sara", made, minutes=3 * 24 * 60 + 1)
    assert made not in str(queries.audit_page(before=None, most=100))
    assert made not in str(row("SELECT * FROM accounts_user WHERE id = :id", id=person.user_id))


def test_sessions_are_ended_one_by_one_or_all_others_and_never_somebody_elses(make: Make) -> None:
    sara, reza = make("sara"), make("reza")
    tokens = [_sign_in("sara").token for _ in range(3)]
    his = _sign_in("reza").token
    ref = next(
        s.ref for s in queries.sessions(sara.user_id, clock.now()) if s.token_hash == queries.token_hash(tokens[1])
    )
    his_ref = queries.sessions(reza.user_id, clock.now())[0].ref
    with transaction():
        assert operations.end_session(user_id=sara.user_id, ref=his_ref) == 0
        assert operations.end_session(user_id=sara.user_id, ref=ref) == 1
    assert [_is_alive(token) for token in tokens] == [True, False, True]
    with transaction():
        assert operations.end_sessions(user_id=sara.user_id, but=tokens[0]) == 1
    assert [_is_alive(token) for token in [*tokens, his]] == [True, False, False, True]


def test_the_job_deletes_what_has_ended_and_nothing_else(make: Make) -> None:
    make("sara")
    _sign_in("sara", minutes=-13 * 60)
    alive = _sign_in("sara").token
    jobs.end_sessions()
    assert scalar("SELECT count(*) FROM accounts_session") == 1
    assert _is_alive(alive)


# The audit


def test_the_audit_can_only_grow(make: Make, settings: Settings) -> None:
    make("sara")
    for statement in ("UPDATE accounts_audit SET action = 'x'", "DELETE FROM accounts_audit"):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction():
            execute(statement)
        with (
            psycopg.connect(settings.database_url) as owner,
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"),
        ):
            owner.execute(statement)
    assert scalar("SELECT count(*) FROM accounts_audit") > 0


def test_each_change_is_audited_with_who_when_and_where(make: Make) -> None:
    person = make("sara", mobile=989121234567)
    by = _by(actor_id=person.user_id)
    with transaction():
        operations.change_profile(
            account_id=person.account_id,
            user_id=person.user_id,
            full_name="Sara",
            mobile=989351112233,
            language="en",
            by=by,
        )
        operations.change_account(account_id=person.account_id, name="New name", money_unit="toman", by=by)
        operations.change_account(account_id=person.account_id, name="New name", money_unit="toman", by=by)
    assert actions(person.account_id) == ["account.created", "user.created", "user.changed", "account.changed"]
    business, profile, *_ = queries.audit_page(before=None, most=2, account_id=person.account_id)
    assert business.details == {
        "name": {"before": "The shop of sara", "after": "New name"},
        "money_unit": {"before": "rial", "after": "toman"},
    }
    assert profile.details["mobile"] == {"before": "0912***4567", "after": "0935***2233"}
    assert (profile.actor, profile.address, profile.at) == ("sara", "203.0.113.9", by.at)


def test_the_audit_and_the_accounts_are_read_page_by_page(make: Make) -> None:
    people: list[Person] = [make(f"user{number}") for number in range(4)]
    seen: list[int] = []
    before: int | None = None
    while page := queries.accounts_page(before=before, most=2, kind="customer"):
        seen += [account.id for account in page]
        before = page[-1].id
    assert seen == [person.account_id for person in reversed(people)]
    first = queries.audit_page(before=None, most=3)
    second = queries.audit_page(before=first[-1].id, most=100)
    assert not {line.id for line in first} & {line.id for line in second}
    assert len(first) + len(second) == scalar("SELECT count(*) FROM accounts_audit")
    assert queries.audited_actions() == ["account.created", "user.created"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("golest", ["golestan"]),
        ("shop of", ["parvin", "golestan"]),
        ("%", []),
        ("_", []),
        ("0912 123 4567", ["parvin"]),
    ],
)
def test_accounts_are_found_by_name_user_and_mobile(make: Make, search: str, found: list[str]) -> None:
    make("golestan")
    make("parvin", mobile=989121234567)
    mobile = 989121234567 if search.startswith("09") else None
    page = queries.accounts_page(before=None, most=10, search=search, mobile=mobile)
    assert [account.username for account in page] == found
