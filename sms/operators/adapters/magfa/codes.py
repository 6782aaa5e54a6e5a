"""Magfa's codes as tables, with the reason beside each. What stands in none of them is of unknown meaning."""

from sms.operators.rules import Outcome

OK = 0

# Of one recipient, inside an answer to `send`: documented refusals, the recipient was not accepted.
REFUSALS: dict[int, Outcome] = {
    1: Outcome.REFUSED,  # the recipient's number is wrong
    2: Outcome.REFUSED,  # the sender's number is wrong
    3: Outcome.REFUSED,  # the encoding does not fit the text
    4: Outcome.REFUSED,  # the message class is wrong
    6: Outcome.REFUSED,  # the user data header is wrong
    8: Outcome.OUT_OF_HOURS,  # advertising is let through from 7 to 22 only
    13: Outcome.REFUSED,  # nothing to send: no text, no header
    14: Outcome.REFUSED,  # no credit left for this one; told to all of them it is OUT_OF_CREDIT
    15: Outcome.REFUSED,  # too busy for this one; told to all of them it is BUSY
    20: Outcome.REFUSED,  # the sender's number is not of this account
    23: Outcome.REFUSED,  # as 15
    27: Outcome.BLOCKED,  # on the operator's list of people who take no advertising
    28: Outcome.REFUSED,  # Magfa has shut this prefix for now
    30: Outcome.REFUSED,  # more than 265 parts
    33: Outcome.OPTED_OUT,  # texted "11" to this line: wants nothing from it
    34: Outcome.REFUSED,  # nobody's identity is confirmed for this number
}

# Of a whole request, or of every recipient in it. Whatever else is told of a whole request is a plain refusal.
OUT_OF_CREDIT = frozenset({14})
NOT_KNOWN_THERE = frozenset(
    {
        16,  # account switched off
        17,  # account expired
        18,  # wrong user name or password
        19,  # user name, password and domain do not belong together
        22,  # the web service is not opened for the account
        25,  # no such method: the address is not Magfa's
        29,  # our address is not on the account's list
    }
)
BUSY = frozenset(
    {
        15,  # repairing itself
        23,  # cannot take a request now
    }
)
BUSY_SECONDS = 5.0
NO_SUCH_ID = 24  # wrong, or older than a day

# HTTP statuses that stand for the same before anything was looked at.
HTTP_NOT_KNOWN_THERE = frozenset({401, 403, 404})
HTTP_BUSY = 429

# Of a delivery report. None: not final yet.
REPORTS: dict[int, Outcome | None] = {
    0: None,  # nothing is known yet
    1: Outcome.DELIVERED,  # to the handset
    2: Outcome.UNDELIVERED,  # the handset did not take it
    8: None,  # reached the telecom, not the handset
    16: Outcome.NOT_IN_NETWORK,  # the telecom did not take it
    27: Outcome.BLOCKED,  # found out only later
    33: Outcome.OPTED_OUT,  # found out only later
}
UNKNOWN_ID = -1  # wrong, or older than a day: says nothing about the message, so never pays anything back
