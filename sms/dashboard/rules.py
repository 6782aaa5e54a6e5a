"""What the sample data consists of, and whom a demo campaign is sent to. Plain Python."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from sms.accounts.rules import AccountKind
from sms.core.money import MRIAL_PER_RIAL
from sms.operators.rules import OnAbsent

POLLING_PLAN_SECONDS = (2, 4, 8, 15, 30, 45)
REPORT_HORIZON_SECONDS = 60  # so that silence soon becomes "expired" and the campaign closes
INBOUND_EVERY_SECONDS = 5  # so that a reply is soon seen


@dataclass(frozen=True, slots=True)
class SamplePerson:
    """An account of the sample data with its owner; `money_mrial` is what the account begins with."""

    username: str
    kind: AccountKind
    account_name: str
    full_name: str
    mobile: int
    money_mrial: int = 0


ADMIN = SamplePerson("admin", AccountKind.INSTALLATION, "پیامگاه", "مدیر سامانه", 989121000001)
RESELLER = SamplePerson(
    "reseller", AccountKind.RESELLER, "نمایندگی نمونه", "نمایندهٔ نمونه", 989121000002, 1_000_000_000 * MRIAL_PER_RIAL
)
CUSTOMER = SamplePerson(
    "customer", AccountKind.CUSTOMER, "فروشگاه نمونه", "مشتری نمونه", 989121000003, 5_000_000_000 * MRIAL_PER_RIAL
)


class SamplePaymentGateway(NamedTuple):
    """Where the sample installation is paid; it opens nothing but the simulator."""

    adapter: str
    name: str
    credentials: Mapping[str, str]
    least_mrial: int
    most_mrial: int


PAYMENT_GATEWAY = SamplePaymentGateway(
    "simulated",
    "درگاه نمونه",
    MappingProxyType({"merchant_id": "00000000-0000-4000-8000-000000000000"}),
    100_000 * MRIAL_PER_RIAL,
    2_000_000_000 * MRIAL_PER_RIAL,
)
SAMPLE_VAT_PERMILLE = 100
SAMPLE_TIERS = ((90, 50_000_000 * MRIAL_PER_RIAL, 30), (90, 200_000_000 * MRIAL_PER_RIAL, 60))  # days, from, discount

SUBRESELLER = SamplePerson(
    "subreseller",
    AccountKind.RESELLER,
    "زیرنمایندگی نمونه",
    "زیرنمایندهٔ نمونه",
    989121000004,
    200_000_000 * MRIAL_PER_RIAL,
)
SUBCUSTOMER = SamplePerson(
    "subcustomer",
    AccountKind.CUSTOMER,
    "کتاب‌فروشی نمونه",
    "مشتری زیرنماینده",
    989121000005,
    50_000_000 * MRIAL_PER_RIAL,
)
BRAND_NAME, BRAND_COLOUR, BRAND_SECOND_COLOUR = "پیامک نمونه", "#0f6e56", "#b4530a"
BRAND_PHONE, BRAND_EMAIL = "021 1234 5678", "help@reseller.example"
BRAND_HOST = "reseller.localhost"  # browsers find this machine under it
FREE_MESSAGES = 40  # a customer's, on the public lines of each operator
OWN_PHONES = (CUSTOMER.mobile, 989351000003)  # the customer's, to compare lines with
OPTED_OUT = (989199999901, 989199999902, 989199999903)  # of the customer


class SampleWord(NamedTuple):
    """A word that is answered by itself."""

    name: str
    keywords: tuple[str, ...]
    reply: str


WORD = SampleWord("ساعت کار", ("ساعت کار", "ساعت"), "فروشگاه نمونه هر روز از ۹ تا ۲۱ باز است.")


@dataclass(frozen=True, slots=True)
class Simulator:
    """Where the simulated operators are; `smpp_url` is empty where none of them speaks SMPP."""

    url: str
    smpp_url: str = ""


class Speech(NamedTuple):
    """How an operator of the sample data is spoken to: adapter, address behind the simulator's, credentials, own
    settings. They open nothing but the simulator."""

    adapter: str
    path: str
    credentials: Mapping[str, str]
    own: Mapping[str, object] = MappingProxyType({})
    on_absent: OnAbsent = OnAbsent.RESEND  # the simulator knows at once what it took
    batch_size: int = 100


def _magfa(code: str) -> Speech:
    credentials = {"username": "payamgah", "domain": "sample", "password": f"sample-{code}"}
    return Speech("magfa", f"/{code}/api/http/sms/v2/", credentials)


@dataclass(frozen=True, slots=True)
class SampleOperator:
    """An operator of the sample data, simulated: its gateway, its lines and what a Persian part costs there.

    `price_mrial` is for MCI; other networks and Latin texts cost more, see `prices`.
    """

    code: str
    speech: Speech
    names: tuple[str, str]
    colour: str
    gateway_name: str
    concurrency: int
    public_line: str
    price_mrial: int
    cost_mrial: int
    refunds_not_in_network: bool
    dedicated_line: str
    line_owner: str
    line_alias: str

    def address(self, simulator: Simulator) -> str:
        """Where the simulator speaks for this operator; empty where it does not."""
        return simulator.url + self.speech.path if self.speech.path else simulator.smpp_url

    def prices(self) -> Iterator[tuple[str, bool, int, int]]:
        """(language, only for MCI, price, cost) of a part, in milli-rial: Latin × 2.5, other networks × 1.1."""
        for language, price_mrial, cost_mrial in (
            ("persian", self.price_mrial, self.cost_mrial),
            ("latin", self.price_mrial * 5 // 2, self.cost_mrial * 2),
        ):
            yield language, True, price_mrial, cost_mrial
            yield language, False, price_mrial * 11 // 10, cost_mrial


OPERATORS = (
    SampleOperator(
        code="3000",
        speech=_magfa("3000"),
        names=("مگفا", "Magfa"),
        colour="azure",
        gateway_name="مگفا (شبیه‌ساز)",
        concurrency=8,
        public_line="30004505",
        price_mrial=1_330 * MRIAL_PER_RIAL,
        cost_mrial=1_050 * MRIAL_PER_RIAL,
        refunds_not_in_network=False,
        dedicated_line="3000771201",
        line_owner=CUSTOMER.username,
        line_alias="خط فروشگاه",
    ),
    SampleOperator(
        code="2000",
        speech=_magfa("2000"),
        names=("آتیه داده‌پرداز", "Atieh Dadeh Pardaz"),
        colour="orange",
        gateway_name="آتیه داده‌پرداز (شبیه‌ساز)",
        concurrency=4,
        public_line="20004505",
        price_mrial=1_590 * MRIAL_PER_RIAL,
        cost_mrial=1_260 * MRIAL_PER_RIAL,
        refunds_not_in_network=True,
        dedicated_line="2000330044",
        line_owner=RESELLER.username,
        line_alias="خط نمایندگی",
    ),
    SampleOperator(
        code="5000",
        speech=Speech("kavenegar", "/5000/v1/", {"api_key": "sample-5000"}),
        names=("ارمغان", "Armaghan"),
        colour="green",
        gateway_name="ارمغان (شبیه‌ساز)",
        concurrency=4,
        public_line="50004505",
        price_mrial=1_180 * MRIAL_PER_RIAL,
        cost_mrial=900 * MRIAL_PER_RIAL,
        refunds_not_in_network=False,
        dedicated_line="5000771205",
        line_owner=CUSTOMER.username,
        line_alias="خط باشگاه",
    ),
    SampleOperator(
        code="1000",
        speech=Speech(
            "smpp",
            "",
            {"username": "payamgah", "password": "smpp1000"},
            own={"error_outcomes": "027=blocked 016=not_in_network", "window": 200},
            on_absent=OnAbsent.PARK,  # nobody can be asked, so little is to be of unknown fate
            batch_size=25,
        ),
        names=("رهیاب", "Rahyab"),
        colour="purple",
        gateway_name="رهیاب (شبیه‌ساز)",
        concurrency=16,
        public_line="10004505",
        price_mrial=1_410 * MRIAL_PER_RIAL,
        cost_mrial=1_120 * MRIAL_PER_RIAL,
        refunds_not_in_network=False,
        dedicated_line="1000771210",
        line_owner=CUSTOMER.username,
        line_alias="خط خبرنامه",
    ),
)

DEMO_BODY = "جشنوارهٔ پاییزی فروشگاه نمونه آغاز شد. لغو۱۱"
_DEMO_PREFIXES = ("912", "935", "921", "990")  # three networks
_A_HUNDRED = 100


def demo_recipients(count: int) -> Iterator[str]:
    """As many different mobile numbers as asked, every pair of last digits as often as any other."""
    for number in range(count):
        block, digits = divmod(number, _A_HUNDRED)
        prefix = _DEMO_PREFIXES[block % len(_DEMO_PREFIXES)]
        yield f"0{prefix}{block // len(_DEMO_PREFIXES):05}{digits:02}"
