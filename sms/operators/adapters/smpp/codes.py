"""SMPP command statuses of a submit (SMPP 3.4, 5.1.3) as a table, with the reason beside each.

Any status but 0 says that the message was not taken. What stands in no table is a plain refusal.
"""

from sms.operators.protocols.smpp.verdicts import Verdict, Word
from sms.operators.rules import Outcome

STATUSES: dict[int, Verdict] = {
    0x01: Verdict(),  # RINVMSGLEN: the text is too long for the operator
    0x02: Verdict(),  # RINVCMDLEN: it could not read the PDU
    0x03: Verdict(),  # RINVCMDID
    0x04: Verdict(Word.CREDENTIALS),  # RINVBNDSTS: this bind may not send
    0x08: Verdict(),  # RSYSERR: says that it failed; asking again would be a guess
    0x0A: Verdict(),  # RINVSRCADR: the line is not ours there
    0x0B: Verdict(),  # RINVDSTADR: the recipient's number is wrong
    0x0D: Verdict(Word.CREDENTIALS),  # RBINDFAIL, told to a submit: the account was shut
    0x0E: Verdict(Word.CREDENTIALS),  # RINVPASWD
    0x0F: Verdict(Word.CREDENTIALS),  # RINVSYSID
    0x14: Verdict(Word.BUSY, pause_seconds=2.0),  # RMSGQFUL: its queue is full and empties only slowly
    0x15: Verdict(),  # RINVSERTYP
    0x42: Verdict(),  # RINVESMCLASS
    0x45: Verdict(),  # RSUBMITFAIL
    0x48: Verdict(),  # RINVSRCTON
    0x49: Verdict(),  # RINVSRCNPI
    0x50: Verdict(),  # RINVDSTTON
    0x51: Verdict(),  # RINVDSTNPI
    0x58: Verdict(Word.BUSY, pause_seconds=0.25),  # RTHROTTLED: faster than agreed
    0x61: Verdict(outcome=Outcome.OUT_OF_HOURS),  # RINVSCHED: not at this hour
    0x62: Verdict(),  # RINVEXPIRY
    0xC3: Verdict(),  # RINVOPTPARAMVAL: an optional parameter it does not like
}
REFUSED = Verdict()
CREDIT = Verdict(Word.CREDIT)
