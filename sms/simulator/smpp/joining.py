"""Which submits are parts of one message, and what a text inside one of them weighs."""

from sms.simulator.smpp.pdu import Malformed, Part, Status, Submit

_PATIENCE_SECONDS = 600  # parts that come later begin another message
_UCS2 = 8
_SINGLE = {_UCS2: 140, 2: 140, 4: 140}  # octets; in the GSM alphabet a septet takes one here
_JOINED = {_UCS2: 134, 2: 134, 4: 134}
_GSM_SINGLE, _GSM_JOINED = 160, 153
_WIDE = 7  # a user data header with a reference of two bytes


def parts_of(submit: Submit) -> int:
    """How many parts this one submit makes on air; raises Malformed when it fits into none."""
    octets = len(submit.text)
    if submit.coding == _UCS2 and octets % 2:
        raise Malformed(Status.MESSAGE_LENGTH)
    joined = _JOINED.get(submit.coding, _GSM_JOINED)
    if submit.part is not None or submit.header_bytes:
        room = joined if submit.header_bytes < _WIDE else joined - (2 if submit.coding == _UCS2 else 1)
        if octets > room:
            raise Malformed(Status.MESSAGE_LENGTH)
        return 1
    if octets <= _SINGLE.get(submit.coding, _GSM_SINGLE):
        return 1
    if not submit.is_payload:
        raise Malformed(Status.MESSAGE_LENGTH)
    return -(-octets // joined)


class _Open:
    """A message of which parts are still to come."""

    __slots__ = ("at", "message_id", "seen")

    def __init__(self, message_id: int, number: int, at: float) -> None:
        self.message_id = message_id
        self.seen = {number}
        self.at = at


class Joining:
    """The messages whose parts have not all come yet."""

    def __init__(self) -> None:
        self._open: dict[tuple[bytes, int, int, int], _Open] = {}

    def message_of(self, line: bytes, recipient: int, part: Part, at: float) -> int | None:
        """The message this part belongs to, or None when it begins one: a part seen before begins it anew."""
        key = (line, recipient, part.reference, part.total)
        found = self._open.get(key)
        if found is None or part.number in found.seen or at - found.at > _PATIENCE_SECONDS:
            return None
        found.seen.add(part.number)
        if len(found.seen) == part.total:
            del self._open[key]
        return found.message_id

    def begin(self, line: bytes, recipient: int, part: Part, message_id: int, at: float) -> None:
        """Remember a message whose first part has come."""
        self._open[line, recipient, part.reference, part.total] = _Open(message_id, part.number, at)
