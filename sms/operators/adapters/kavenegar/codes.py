"""Kavenegar's codes as tables, with the reason beside each. What stands in none of them is of unknown meaning."""

from sms.operators.rules import Outcome

OK = 200

# `return.status` of a whole request: nothing of it was taken. 402 ("failed") is left out on purpose, as it does not
# say how far they came before it failed.
OUT_OF_CREDIT = frozenset({418})
NOT_KNOWN_THERE = frozenset(
    {
        401,  # account switched off
        403,  # no such key
        404,  # no such method: the address is not Kavenegar's
        407,  # no access: our address is not on the account's list
        416,  # our address is not the one in the account's settings
        426,  # the account's plan does not include this method
    }
)
BUSY = frozenset(
    {
        409,  # cannot answer now
        429,  # too many requests from our address
        451,  # too many requests in too short a time
    }
)
BUSY_SECONDS = 5.0
# One recipient, or too many of them, spoils a request: smaller ones find out which.
DIVIDED = frozenset(
    {
        411,  # a recipient's number is wrong
        414,  # more recipients than they take
    }
)
REFUSALS: dict[int, Outcome] = {
    400: Outcome.REFUSED,  # parameters are missing
    405: Outcome.REFUSED,  # the wrong HTTP verb
    406: Outcome.REFUSED,  # a parameter is empty
    411: Outcome.REFUSED,  # the recipient's number is wrong
    412: Outcome.REFUSED,  # the sender's number is wrong, or not of this account
    413: Outcome.REFUSED,  # no text, or longer than 900 characters
    414: Outcome.REFUSED,  # more recipients than they take, told of one alone
    417: Outcome.REFUSED,  # the date is wrong
    419: Outcome.REFUSED,  # the arrays are not equally long
    420: Outcome.FILTERED,  # the text holds a link, which this account may not send
    422: Outcome.REFUSED,  # the text holds characters they do not take
    427: Outcome.REFUSED,  # the line needs a higher level of access
    431: Outcome.REFUSED,  # the code's structure is wrong
    501: Outcome.REFUSED,  # an account on trial texts its owner only
    607: Outcome.REFUSED,  # the tag does not exist
}

# `status` of a record without a reference: this recipient was not taken.
ROW_REFUSALS: dict[int, Outcome] = REFUSALS | {
    6: Outcome.REFUSED,  # failed before it had an id
}

# HTTP statuses that stand for the same before anything was looked at, where the body says nothing readable.
HTTP_NOT_KNOWN_THERE = frozenset({401, 403, 404})
HTTP_BUSY = 429

# `status` of a message, in reports and in the records a submission is answered with. None: not final yet.
REPORTS: dict[int, Outcome | None] = {
    1: None,  # in their queue
    2: None,  # waits for its hour
    4: None,  # sent to the telecom
    5: None,  # the same as 4
    6: Outcome.UNDELIVERED,  # failed on the sender's side of the telecom
    10: Outcome.DELIVERED,
    11: Outcome.UNDELIVERED,  # switched off, out of reach
    # Stopped at Kavenegar, by a person or for a fault, and paid back to us. It was charged, so it is not "cancelled" as
    # our own word for what was never sent.
    13: Outcome.FILTERED,
    14: Outcome.BLOCKED,  # the recipient takes no advertising; paid back to us
}
UNKNOWN_ID = 100  # wrong, foreign, or older than 48 hours (by our own id: 12): says nothing about the message
