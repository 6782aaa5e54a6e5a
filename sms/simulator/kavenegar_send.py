"""What a send to Kavenegar asks for: a text to many, or each its own."""

import json
import time
from typing import NamedTuple

from sms.simulator.desk import Desk
from sms.simulator.texts import measure, phone

MAX_ITEMS = 200
MAX_CHARACTERS = 900
_MAX_LOCAL_ID = 2**63 - 1

Fields = dict[str, list[str]]


class Code:
    """Kavenegar's own codes, as many as the simulator says."""

    OK, MISSING, KEY, METHOD, VERB, EMPTY = 200, 400, 403, 404, 405, 406
    RECIPIENT, SENDER, TEXT, TOO_MANY, DATE, CREDIT, LENGTHS = 411, 412, 413, 414, 417, 418, 419


class Refused(Exception):
    """The whole request gets this code."""

    def __init__(self, code: int) -> None:
        self.code = code


class Item(NamedTuple):
    """One message of a send."""

    sender: str
    recipient: int
    text: str
    local_id: int  # 0 = none
    parts: int
    alphabet: str

    def cost_mrial(self, desk: Desk) -> int:
        """What it costs at this operator."""
        return self.parts * desk.character.tariff_mrial[self.alphabet]


def to_many(fields: Fields) -> list[Item]:
    """One text to many: receptors and local ids are joined by commas, or repeated; raises Refused."""
    receptors = _listed(fields, "receptor")
    texts, senders = fields.get("message", []), fields.get("sender") or [""]
    count = len(receptors)
    return _items(fields, senders[:1] * count, receptors, texts[:1] * count, _listed(fields, "localid"))


def to_pairs(fields: Fields) -> list[Item]:
    """Each receptor with a text and a sender of its own: JSON arrays, or repeated fields; raises Refused."""
    senders, receptors, texts = (_texts(fields, name) for name in ("sender", "receptor", "message"))
    if not len(senders) == len(receptors) == len(texts):
        raise Refused(Code.LENGTHS)
    return _items(fields, senders, receptors, texts, _texts(fields, "localmessageids"))


def _items(
    fields: Fields, senders: list[str], receptors: list[str], texts: list[str], local_ids: list[str]
) -> list[Item]:
    if not receptors or not texts:
        raise Refused(Code.EMPTY if "receptor" in fields and "message" in fields else Code.MISSING)
    if len(receptors) > MAX_ITEMS:
        raise Refused(Code.TOO_MANY)
    if local_ids and len(local_ids) != len(receptors):
        raise Refused(Code.LENGTHS)
    if any(not date.isdecimal() or int(date) > time.time() for date in fields.get("date", [])):
        raise Refused(Code.DATE)  # it sends at once or not at all
    return [
        _item(*values) for values in zip(senders, receptors, texts, local_ids or ["0"] * len(receptors), strict=True)
    ]


def _item(sender: str, receptor: str, text: str, local_id: str) -> Item:
    number = phone(receptor)
    if number is None:
        raise Refused(Code.RECIPIENT)
    if sender and not sender.removeprefix("+").isdecimal():
        raise Refused(Code.SENDER)
    if not 0 < len(text) <= MAX_CHARACTERS:
        raise Refused(Code.TEXT)
    if not (local_id.isascii() and local_id.isdigit() and int(local_id) <= _MAX_LOCAL_ID):
        raise Refused(Code.MISSING)
    parts, alphabet = measure(text, 0)
    return Item(sender, number, text, int(local_id), parts, alphabet)


def _listed(fields: Fields, name: str) -> list[str]:
    return [text.strip() for value in _texts(fields, name) for text in value.split(",") if text.strip()]


def _texts(fields: Fields, name: str) -> list[str]:
    """The values of a field: a JSON array when it is one, else as often as it came."""
    values = fields.get(name, [])
    if len(values) == 1 and values[0].lstrip().startswith("["):
        try:
            found = json.loads(values[0])
        except ValueError:
            return values
        return [str(value) for value in found]
    return values


def record(item: Item, *, message_id: int, status: int, text: str, cost_mrial: int, at: float) -> dict[str, object]:
    """One entry of the answer."""
    return {
        "messageid": message_id,
        "message": item.text,
        "status": status,
        "statustext": text,
        "sender": item.sender,
        "receptor": f"0{item.recipient - 980_000_000_000}",
        "date": int(at),
        "cost": cost_mrial // 1000,
    }
