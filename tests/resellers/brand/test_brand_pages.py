"""A brand under its own domain: who is let in there, what is shown, and how a domain becomes a reseller's."""

import io
from http import HTTPStatus

import pytest
from bs4 import BeautifulSoup

from sms.accounts.rules import By
from sms.core import clock, outward
from sms.core.db import execute, row, scalar, transaction
from sms.core.web.assets import KEPT
from sms.resellers.brand import operations
from sms.resellers.brand.operations import BrandSettings
from tests.guards.world import csrf_token
from tests.journeys.walker import Walker
from tests.resellers.brand.test_brand_rules import png
from tests.resellers.people import PASSWORD, Tree

HOST = "panel.shop.ir"
THERE = {"base_url": f"http://{HOST}"}


@pytest.fixture
def branded(tree: Tree) -> Tree:
    """R1 has a brand and an approved domain."""
    by = By(actor_id=None, at=clock.now())
    settings = BrandSettings(
        name="Shop Text",
        main_colour="#8b0000",
        second_colour="#005f00",
        support_phone="021 1234",
        support_email="help@shop.ir",
        logo=png(),
    )
    with transaction():
        operations.set_brand(account_id=tree.r1, settings=settings, by=by)
        domain_id = operations.ask_for_domain(account_id=tree.r1, text=HOST, ours="localhost", by=by)
        operations.approve_domain(domain_id=domain_id, is_sure=True, by=by)
    return tree


class Visitor(Walker):
    """A browser that came by the reseller's domain."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree.app.test_client())
        self.browser.set_cookie("language", "en", domain=HOST)
        browser = self.browser
        for name in ("get", "post"):
            plain = getattr(browser, name)
            setattr(self, f"_{name}", plain)
            setattr(browser, name, lambda *a, plain=plain, **k: plain(*a, **(THERE | k)))

    def sign_in(self, name: str, *, allowed: int = 200) -> "Visitor":
        """As an owner of the tree."""
        self.go("/sign-in").submit("/sign-in", allowed=allowed, username=f"{name}-owner", password=PASSWORD)
        return self


def test_the_brand_stands_on_every_page_under_its_domain(branded: Tree) -> None:
    visitor = Visitor(branded)
    for address, status in (("/sign-in", 200), ("/sign-up", 200), ("/there-is-no-such-page", 404)):
        answer = visitor.browser.get(address)
        page = BeautifulSoup(answer.get_data(as_text=True), "html.parser")
        assert answer.status_code == status
        assert page.find(class_="brand").get_text().strip() == "Shop Text"
        assert page.title.get_text().strip().endswith("Shop Text")
        assert "/brand/logo" in page.find(class_="brand").img["src"]
        assert "help@shop.ir" in page.get_text()
        assert "Payamgah" not in page.get_text()
    visitor.sign_in("c1")
    assert visitor.page.find(class_="brand").get_text().strip() == "Shop Text"
    assert "021 1234" in visitor.text


def test_the_brand_is_not_shown_elsewhere(branded: Tree) -> None:
    for host in ("localhost", "127.0.0.1", "unknown.ir", "shop.ir", "panel.shop.ir.evil.ir"):
        page = branded.app.test_client().get("/sign-in", base_url=f"http://{host}").get_data(as_text=True)
        assert "Shop Text" not in page
        assert "/brand/" not in page
    assert "Shop Text" not in branded.walker("r1").go("/").text


def test_style_and_logo_are_kept_by_their_mark_and_carry_nothing_foreign(branded: Tree) -> None:
    visitor = Visitor(branded)
    page = visitor.go("/sign-in").page
    style = visitor.browser.get(next(link["href"] for link in page("link") if "/brand/style" in link["href"]))
    assert (style.status_code, style.mimetype) == (HTTPStatus.OK, "text/css")
    assert "#8b0000" in style.get_data(as_text=True)
    logo = visitor.browser.get(page.find(class_="brand").img["src"])
    assert (logo.mimetype, logo.get_data()) == ("image/png", png())
    for answer in (style, logo):
        assert answer.headers["Cache-Control"] == KEPT
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert visitor.browser.get("/brand/logo?v=other").headers["Cache-Control"] == "no-store"


def test_only_who_belongs_to_the_tree_comes_in_and_others_learn_nothing(branded: Tree) -> None:
    for name in ("r1", "s", "d", "c1"):
        assert Visitor(branded).sign_in(name).browser.get("/account").status_code == HTTPStatus.OK
    told = set()
    for name in ("c2", "r2", "staff", "nobody"):
        visitor = Visitor(branded).sign_in(name, allowed=422)
        told.add(visitor.page.find(role="alert").get_text().strip())
        assert visitor.browser.get("/account").status_code == HTTPStatus.SEE_OTHER
    assert len(told) == 1
    assert branded.walker("c1").browser.get("/account").status_code == HTTPStatus.OK  # also where the panel itself is


def test_a_session_of_another_tree_opens_nothing_under_the_domain(branded: Tree) -> None:
    stranger = branded.walker("c2")
    cookie = stranger.browser.get_cookie("session")
    assert cookie is not None
    visitor = Visitor(branded)
    visitor.browser.set_cookie("session", cookie.value, domain=HOST)
    assert visitor.browser.get("/account").status_code == HTTPStatus.SEE_OTHER
    assert stranger.browser.get("/account").status_code == HTTPStatus.OK


def _sign_up(walker: Walker, username: str) -> Walker:
    fields = {"account_name": "New shop", "full_name": "Sara", "mobile": "09121234567", "username": username}
    return walker.go("/sign-up").submit("/sign-up", password=PASSWORD, **fields)


def test_who_signs_up_under_a_domain_lands_in_its_tree(branded: Tree) -> None:
    _sign_up(Visitor(branded), "fresh")
    assert scalar("SELECT parent_id FROM accounts_account WHERE name = 'New shop'") == branded.r1
    walker = Walker(branded.app.test_client())
    _sign_up(walker, "fresher")
    found = row("SELECT p.kind FROM accounts_user u JOIN accounts_account a ON a.id = u.account_id"
                " JOIN accounts_account p ON p.id = a.parent_id WHERE u.username = 'fresher'")  # fmt: skip
    assert found is not None
    assert found.kind == "installation"


def test_each_door_is_closed_by_itself(branded: Tree) -> None:
    with transaction():
        execute("UPDATE resellers_brand SET is_sign_up_open = false WHERE account_id = :id", id=branded.r1)
    visitor = Visitor(branded).go("/sign-up")
    assert not visitor.page.find("input", {"name": "username"})
    fields = {"csrf_token": csrf_token(visitor.browser), "account_name": "x", "full_name": "x", "mobile": "09121234567"}
    answer = visitor.browser.post("/sign-up", data=fields | {"username": "sneaky", "password": PASSWORD})
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "sign-up" not in str(visitor.go("/sign-in").page.main)
    plain = Walker(branded.app.test_client()).go("/sign-up")
    assert plain.page.find("input", {"name": "username"})
    branded.walker("staff").go("/admin/domains").submit("/admin/sign-up")
    assert not plain.go("/sign-up").page.find("input", {"name": "username"})
    branded.walker("staff").go("/admin/domains").submit("/admin/sign-up")
    assert plain.go("/sign-up").page.find("input", {"name": "username"})
    assert scalar("SELECT count(*) FROM accounts_user WHERE username = 'sneaky'") == 0


def test_a_suspended_resellers_door_is_closed(branded: Tree) -> None:
    branded.walker("staff").go(f"/admin/accounts/{branded.r1}").submit("/suspend", reason="unpaid")
    assert not Visitor(branded).go("/sign-up").page.find("input", {"name": "username"})
    Visitor(branded).sign_in("c1", allowed=422)


# The reseller's page


def test_a_reseller_sets_its_brand_with_a_picture(tree: Tree) -> None:
    r1 = tree.walker("r1").go("/reseller/brand")
    fields = {"name": "Shop Text", "main_colour": "#8B0000", "second_colour": "", "is_sign_up_open": "y"}
    r1.submit("/reseller/brand", logo=(io.BytesIO(png()), "logo.html"), **fields)
    found = row("SELECT name, main_colour, logo_type FROM resellers_brand WHERE account_id = :id", id=tree.r1)
    assert found is not None
    assert tuple(found) == ("Shop Text", "#8b0000", "image/png")
    assert r1.browser.get("/reseller/brand/logo").get_data() == png()
    r1.submit("/reseller/brand", **fields)  # without a file the picture stays
    assert r1.browser.get("/reseller/brand/logo").get_data() == png()
    r1.submit("/reseller/brand", without_logo="y", **fields)
    assert r1.browser.get("/reseller/brand/logo").status_code == HTTPStatus.SEE_OTHER
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'brand.set'") == 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"main_colour": "#ffff00"}, "too light"),
        ({"main_colour": "red"}, "six digits"),
        ({"name": " "}, "must be filled"),
        ({"support_email": "<script>@x.ir"}, "e-mail"),
        ({"support_phone": "call me"}, "phone number"),
        ({"logo": (io.BytesIO(b"<svg onload='x'/>"), "logo.png")}, "PNG, JPEG or WebP"),
    ],
)
def test_what_a_brand_cannot_be_is_told_beside_it(tree: Tree, fields: dict[str, object], told: str) -> None:
    r1 = tree.walker("r1").go("/reseller/brand")
    r1.submit("/reseller/brand", allowed=422, **({"name": "Shop Text"} | fields))
    assert told in " ".join(error.get_text() for error in r1.page(class_="error"))
    assert scalar("SELECT count(*) FROM resellers_brand") == 0


# Domains


def test_a_domain_is_asked_for_proven_and_approved(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    r1 = tree.walker("r1").go("/reseller/brand").submit("/reseller/brand/domains", host=f"https://{HOST}/")
    proof = scalar("SELECT proof FROM resellers_domain")
    assert f"http://{HOST}/.well-known/payamgah/{proof}" in r1.text
    monkeypatch.setattr(outward, "read", lambda _host, _path: "<html>a parked domain</html>")
    r1.submit("/check")
    assert "does not lead to this panel yet" in r1.text
    asked = []
    client = tree.app.test_client()

    def read(host: str, path: str) -> str:
        asked.append(host)
        return str(client.get(path, base_url=f"http://{host}").get_data(as_text=True))

    monkeypatch.setattr(outward, "read", read)
    r1.submit("/check")
    assert asked == [HOST]
    assert "Waits for approval" in r1.text
    assert "Shop" not in client.get("/sign-in", base_url=f"http://{HOST}").get_data(as_text=True)
    tree.walker("staff").go("/admin/domains").submit("/approve")
    assert "House of r1" in client.get("/sign-in", base_url=f"http://{HOST}").get_data(as_text=True)
    r1.go("/reseller/brand").submit("/remove")
    assert "House of r1" not in client.get("/sign-in", base_url=f"http://{HOST}").get_data(as_text=True)


def test_the_proof_is_answered_under_its_own_domain_only(branded: Tree) -> None:
    proof = scalar("SELECT proof FROM resellers_domain")
    for host, status in ((HOST, 200), ("localhost", 404), ("other.ir", 404)):
        client = branded.app.test_client()
        assert client.get(f"/.well-known/payamgah/{proof}", base_url=f"http://{host}").status_code == status
    assert branded.app.test_client().get("/.well-known/payamgah/other", **THERE).status_code == HTTPStatus.NOT_FOUND


def test_a_domain_in_use_is_not_had_twice(branded: Tree) -> None:
    r2 = branded.walker("r2").go("/reseller/brand")
    r2.submit("/reseller/brand/domains", allowed=422, host=HOST.upper())
    assert "in use already" in r2.text
    domain_id = scalar("SELECT id FROM resellers_domain")
    for act in ("check", "remove"):
        token = csrf_token(r2.browser)
        answer = r2.browser.post(f"/reseller/brand/domains/{domain_id}/{act}", data={"csrf_token": token})
        assert answer.status_code == HTTPStatus.NOT_FOUND


def test_of_two_who_ask_one_gets_it(tree: Tree) -> None:
    for name in ("r1", "r2"):
        tree.walker(name).go("/reseller/brand").submit("/reseller/brand/domains", host=HOST)
    staff = tree.walker("staff").go("/admin/domains")
    first, second = [form["action"] for form in staff.page("form") if str(form["action"]).endswith("/approve")]
    token = csrf_token(staff.browser)
    staff.browser.post(first, data={"csrf_token": token})  # nothing is proven, and nobody says that they know better
    assert scalar("SELECT count(*) FROM resellers_domain WHERE approved_at IS NOT NULL") == 0
    for address in (first, second):
        staff.browser.post(address, data={"csrf_token": token, "is_sure": "y"})
    assert scalar("SELECT count(*) FROM resellers_domain WHERE approved_at IS NOT NULL") == 1
