"""Tables of operators, their gateways, and the mobile networks."""

from typing import Any

from sqlalchemy import ARRAY, REAL, ForeignKey, Identity, Integer, LargeBinary, SmallInteger, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sms.core.db import Big, Model, Moment


class Network(Model):
    """A recipient's mobile network; id 0 stands for one we cannot guess."""

    __tablename__ = "operators_network"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    code: Mapped[str]
    name_fa: Mapped[str]
    name_en: Mapped[str]


class Prefix(Model):
    """A national prefix such as 912 and the network it belongs to."""

    __tablename__ = "operators_prefix"

    prefix: Mapped[str] = mapped_column(primary_key=True)
    network_id: Mapped[int] = mapped_column(ForeignKey("operators_network.id"))


class OperatorRow(Model):
    """An upstream seller of lines, known by its prefix."""

    __tablename__ = "operators_operator"

    id: Mapped[int] = mapped_column(SmallInteger, Identity(), primary_key=True)
    code: Mapped[str]
    name_fa: Mapped[str]
    name_en: Mapped[str]
    colour: Mapped[str]
    sale_mode: Mapped[str]
    created_at: Mapped[Moment]


class Gateway(Model):
    """One account of ours at an operator: adapter, sealed credentials, limits and health."""

    __tablename__ = "operators_gateway"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators_operator.id"))
    name: Mapped[str]
    adapter: Mapped[str]
    base_url: Mapped[str]
    credentials_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    is_on: Mapped[bool]
    batch_size: Mapped[int]
    concurrency: Mapped[int]
    timeout_seconds: Mapped[float] = mapped_column(REAL)
    slowest_accept_seconds: Mapped[float] = mapped_column(REAL)
    lease_seconds: Mapped[float] = mapped_column(REAL)
    polling_plan_seconds: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    report_horizon_seconds: Mapped[int]
    lookup_after_seconds: Mapped[float] = mapped_column(REAL)
    on_absent: Mapped[str]
    stopped_reason: Mapped[str]
    failing_since: Mapped[Moment | None]
    failure_count: Mapped[int]
    last_error: Mapped[str]
    last_ok_at: Mapped[Moment | None]
    retry_at: Mapped[Moment | None]
    credit_mrial: Mapped[Big | None]
    credit_checked_at: Mapped[Moment | None]
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB)
    per_second: Mapped[float | None] = mapped_column(REAL)
    credit_alert_mrial: Mapped[Big | None]
    inbound_every_seconds: Mapped[int]
    push_token_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    push_made_at: Mapped[Moment | None]
    push_addresses: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[Moment]
