"""What must be known before texts are decided upon: read for many of them at once."""

from collections.abc import Sequence
from datetime import datetime

from sms.core.db import rows
from sms.inbox.automations.queries.automations import loop_policy
from sms.inbox.automations.rules.deciding import Code, Known, Member, Text, code_in
from sms.inbox.automations.rules.kinds import Automation, Kind
from sms.inbox.automations.rules.matching import words_of

_PAIRS = "unnest(CAST(:automations AS int[]), CAST(:senders AS text[])) AS n (automation_id, sender)"


def known(texts: Sequence[Text], automations: Sequence[Automation], *, at: datetime) -> Known:
    """Everything that deciding upon these texts asks for; what was sent counts as of `at`."""
    found = Known(policy=loop_policy())
    _add_codes(found, texts, automations)
    _add_votes(found, texts, automations)
    _add_answers(found, texts, automations)
    _add_members(found, texts, automations)
    _add_sent(found, texts, at=at)
    found.own_numbers = _own_numbers(texts)
    return found


def _pairs(texts: Sequence[Text], automations: Sequence[Automation], kind: Kind) -> dict[str, list[object]]:
    """Each automation of a kind with each sender to its line."""
    pairs = sorted(
        {
            (automation.id, text.sender)
            for automation in automations
            if automation.kind is kind
            for text in texts
            if (text.line_id, text.account_id) == (automation.line_id, automation.account_id)
        }
    )
    return {"automations": [each for each, _ in pairs], "senders": [sender for _, sender in pairs]}


def _add_codes(found: Known, texts: Sequence[Text], automations: Sequence[Automation]) -> None:
    named = sorted(
        {
            (automation.id, code)
            for automation in automations
            if automation.kind is Kind.CODES
            for text in texts
            if (text.line_id, text.account_id) == (automation.line_id, automation.account_id)
            and (code := code_in(automation, text.body))
        }
    )
    if not named:
        return
    for each in rows(
        """SELECT c.automation_id, c.code, c.reply, c.used_text_id IS NOT NULL AS is_used
           FROM unnest(CAST(:automations AS int[]), CAST(:codes AS text[])) AS n (automation_id, code)
           JOIN inbox_code c USING (automation_id, code)""",
        automations=[automation_id for automation_id, _ in named],
        codes=[code for _, code in named],
    ):
        found.codes[each.automation_id, each.code] = Code(each.is_used, each.reply)


def _add_votes(found: Known, texts: Sequence[Text], automations: Sequence[Automation]) -> None:
    pairs = _pairs(texts, automations, Kind.POLL)
    if pairs["senders"]:
        for each in rows(
            f"""SELECT v.automation_id, v.sender, v.option_id
                FROM {_PAIRS} JOIN inbox_vote v USING (automation_id, sender)""",  # noqa: S608 - our own words
            **pairs,
        ):
            found.votes[each.automation_id, each.sender] = each.option_id


def _add_answers(found: Known, texts: Sequence[Text], automations: Sequence[Automation]) -> None:
    pairs = _pairs(texts, automations, Kind.CONTEST)
    if pairs["senders"]:
        for each in rows(
            f"""SELECT v.automation_id, v.sender, v.is_right
                FROM {_PAIRS} JOIN inbox_answer v USING (automation_id, sender)""",  # noqa: S608 - the same
            **pairs,
        ):
            found.answers[each.automation_id, each.sender] = each.is_right


def _add_members(found: Known, texts: Sequence[Text], automations: Sequence[Automation]) -> None:
    pairs = _pairs(texts, automations, Kind.CLUB)
    if pairs["senders"]:
        for each in rows(
            f"""SELECT v.automation_id, v.sender, v.step, v.answers, v.asked_at
                FROM {_PAIRS} JOIN inbox_member v USING (automation_id, sender)""",  # noqa: S608 - the same
            **pairs,
        ):
            member = Member(each.step, tuple(each.answers), each.asked_at)
            found.members[each.automation_id, each.sender] = member


def _add_sent(found: Known, texts: Sequence[Text], *, at: datetime) -> None:
    """What went out by itself within the time of the policy, also what could not be paid for: it would come again."""
    pairs = sorted({(text.line_id, text.sender) for text in texts})
    for each in rows(
        """SELECT s.id, s.line_id, s.sender, s.kind, s.body, s.state
           FROM unnest(CAST(:lines AS int[]), CAST(:senders AS text[])) AS n (line_id, sender)
           JOIN inbox_auto_send s ON s.line_id = n.line_id AND s.sender = n.sender AND s.created_at > :since
           ORDER BY s.id""",
        lines=[line_id for line_id, _ in pairs],
        senders=[sender for _, sender in pairs],
        since=at - found.policy.span,
    ):
        place = (each.line_id, each.sender)
        counted = found.replied if each.kind == "reply" else found.forwarded
        counted[place] = counted.get(place, 0) + 1
        if each.kind == "reply" and each.state != "not_sent":
            found.said.setdefault(place, set()).add(words_of(each.body))
            found.last_sent[place] = each.id


def _own_numbers(texts: Sequence[Text]) -> frozenset[str]:
    """The senders that are lines of this panel, however they are written."""
    written = {text.sender: text.sender.removeprefix("+").removeprefix("00").removeprefix("98") for text in texts}
    wanted = sorted({*written, *written.values()})
    lines = {each.number for each in rows("SELECT number FROM lines_line WHERE number = ANY(:numbers)", numbers=wanted)}
    return frozenset(sender for sender, bare in written.items() if sender in lines or bare in lines)
