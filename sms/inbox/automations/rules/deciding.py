"""What an automation makes of a text: decided from what is known, without writing anything. A dry run is the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sms.inbox.automations.rules.kinds import (
    ANSWER_LENGTH,
    COUNTS,
    Automation,
    Kind,
    LoopPolicy,
    Option,
    Result,
    Stop,
    code_of,
)
from sms.inbox.automations.rules.matching import Match, match, words_of
from sms.inbox.rules import is_mobile

Place = tuple[int, str]
"""An automation and a sender, or a code, or an option."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text that came to a line."""

    id: int
    account_id: int
    line_id: int
    sender: str
    body: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """How far somebody is with a membership: the place of the field that was asked for, None for who has joined."""

    step: int | None
    answers: tuple[str, ...]
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Code:
    """A code of a list: who used it, and its own reply if it has one."""

    is_used: bool
    reply: str = ""


@dataclass(slots=True)
class Known:
    """What is so before a text is looked at; `decide` writes on."""

    policy: LoopPolicy = field(default_factory=LoopPolicy)
    codes: dict[Place, Code] = field(default_factory=dict)
    votes: dict[Place, int] = field(default_factory=dict)
    answers: dict[Place, bool] = field(default_factory=dict)
    members: dict[Place, Member | None] = field(default_factory=dict)
    own_numbers: frozenset[str] = frozenset()
    replied: dict[Place, int] = field(default_factory=dict)  # by line and sender, within the policy's time
    forwarded: dict[Place, int] = field(default_factory=dict)
    said: dict[Place, set[tuple[str, ...]]] = field(default_factory=dict)
    last_sent: dict[Place, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """What one automation makes of one text."""

    automation: Automation
    result: Result
    keyword: str = ""
    detail: str = ""  # the code, the option or the field that it was about
    option_id: int = 0
    reply: str = ""
    stop: Stop | None = None  # why the reply is not sent
    forward_stop: Stop | None = None  # why it does not go on to a mobile
    answers_send_id: int | None = None  # the automatic text it came after

    @property
    def counts(self) -> bool:
        """Whether the text counts, so that groups are changed and it goes on to others."""
        return self.result in COUNTS

    @property
    def forwards(self) -> bool:
        """Whether it goes on to a mobile."""
        return self.counts and self.automation.actions.mobile is not None and self.forward_stop is None


def decide(text: Text, automations: Sequence[Automation], known: Known) -> list[Step]:
    """What the automations of the text's line, in their order, make of it; the first that recognises it ends this,
    unless it lets go on. Who is being asked for a field answers that."""
    at_work = [each for each in automations if each.is_at_work(text.at)]
    steps: list[Step] = []
    asking = next((each for each in at_work if _is_asked(each, text, known)), None)
    if asking is not None:
        return [_checked(_field_answered(asking, text, known), text, known)]
    for automation in at_work:
        found = match(automation.way, automation.keywords, text.body)
        step = _BY_KIND[automation.kind](automation, text, found, known) if found is not None else None
        if step is not None and found is not None:
            steps.append(_checked(replace(step, keyword=found.keyword), text, known))
            if not automation.goes_on:
                break
    return steps


def code_in(automation: Automation, body: str) -> str:
    """The code that a text would name for this automation."""
    found = match(automation.way, automation.keywords, body)
    return code_of(found.rest) if found is not None else ""


# By kind


def _keyword(automation: Automation, _text: Text, _found: Match, _known: Known) -> Step:
    return Step(automation, Result.MATCHED, reply=automation.reply(Result.MATCHED))


def _code(automation: Automation, _text: Text, found: Match, known: Known) -> Step:
    wanted = code_of(found.rest)
    code = known.codes.get((automation.id, wanted))
    if code is None:
        return _said(automation, Result.NO_CODE, wanted)
    if code.is_used:
        return _said(automation, Result.USED, wanted)
    known.codes[automation.id, wanted] = replace(code, is_used=True)
    step = _said(automation, Result.VALID, wanted)
    return replace(step, reply=code.reply) if code.reply else step


def _vote(automation: Automation, text: Text, found: Match, known: Known) -> Step | None:
    option = _option(automation.options, found.rest)
    if option is None:
        return _said(automation, Result.NO_OPTION) if _speaks_up(automation, found, Result.NO_OPTION) else None
    place = (automation.id, text.sender)
    before = known.votes.get(place)
    if before is not None and (before == option.id or not automation.can_change):
        return _said(automation, Result.AGAIN, option.name, option.id)
    known.votes[place] = option.id
    return _said(automation, Result.VOTE if before is None else Result.CHANGED, option.name, option.id)


def _speaks_up(automation: Automation, found: Match, result: Result) -> bool:
    """What begins with its word is meant for it in any case; any other text only where it has something to say."""
    return bool(found.keyword or automation.reply(result))


def _answer(automation: Automation, text: Text, found: Match, known: Known) -> Step | None:
    is_right = any(option.fits(found.rest) for option in automation.options)
    if not found.rest or not (is_right or _speaks_up(automation, found, Result.WRONG)):
        return _said(automation, Result.WRONG) if found.keyword else None
    place = (automation.id, text.sender)
    before = known.answers.get(place)
    if before or (before is not None and not automation.can_change):
        return _said(automation, Result.ANSWERED)
    known.answers[place] = is_right
    return _said(automation, Result.RIGHT if is_right else Result.WRONG, " ".join(found.rest)[:ANSWER_LENGTH], 1)


def _join(automation: Automation, text: Text, _found: Match, known: Known) -> Step:
    place = (automation.id, text.sender)
    member = known.members.get(place)
    if member is not None and member.step is None:
        return _said(automation, Result.MEMBER)
    if automation.options:
        known.members[place] = Member(0, (), text.at)
        return _question(automation, 0)
    known.members[place] = Member(None, (), text.at)
    return _said(automation, Result.JOINED)


def _said(automation: Automation, result: Result, detail: str = "", option_id: int = 0) -> Step:
    return Step(automation, result, detail=detail, option_id=option_id, reply=automation.reply(result))


def _question(automation: Automation, place: int) -> Step:
    asked = automation.options[place]
    return Step(automation, Result.ASKED, detail=asked.name, option_id=asked.id, reply=asked.words[0])


def _option(options: Sequence[Option], rest: tuple[str, ...]) -> Option | None:
    """The option that is named, by its words or, where none has it as a word, by its place in the poll."""
    by_name = next((each for each in options if each.fits(rest)), None)
    if by_name is not None or len(rest) != 1:
        return by_name
    place = int(rest[0]) if rest[0].isascii() and rest[0].isdecimal() and len(rest[0]) < 3 else 0  # noqa: PLR2004
    return options[place - 1] if 0 < place <= len(options) else None


_BY_KIND: Mapping[Kind, Callable[[Automation, Text, Match, Known], Step | None]] = {
    Kind.KEYWORD: _keyword,
    Kind.CODES: _code,
    Kind.POLL: _vote,
    Kind.CONTEST: _answer,
    Kind.CLUB: _join,
}


# Membership


def _is_asked(automation: Automation, text: Text, known: Known) -> bool:
    member = known.members.get((automation.id, text.sender))
    if automation.kind is not Kind.CLUB or member is None or member.step is None:
        return False
    if member.step >= len(automation.options):  # fewer are asked for now
        return False
    return text.at - member.asked_at <= timedelta(minutes=automation.timeout_minutes)


def _field_answered(automation: Automation, text: Text, known: Known) -> Step:
    place = (automation.id, text.sender)
    member = known.members[place]
    if member is None or member.step is None:
        raise RuntimeError("an answer without a question")
    if words_of(text.body) == words_of(automation.cancel_word):
        known.members[place] = None
        return _said(automation, Result.CANCELLED)
    answer = text.body.strip()[:ANSWER_LENGTH]
    if not answer:
        return _question(automation, member.step)
    answers, following = (*member.answers, answer), member.step + 1
    if following < len(automation.options):
        known.members[place] = Member(following, answers, text.at)
        return _question(automation, following)
    known.members[place] = Member(None, answers, text.at)
    return _said(automation, Result.JOINED)


# Loops


def _checked(step: Step, text: Text, known: Known) -> Step:
    """The same step with what keeps it from being sent, counted where it is sent."""
    place = (text.line_id, text.sender)
    step = replace(step, answers_send_id=known.last_sent.get(place))
    if step.reply:
        stop = _stop(text, known, known.replied.get(place, 0))
        if stop is None:
            known.replied[place] = known.replied.get(place, 0) + 1
            known.said.setdefault(place, set()).add(words_of(step.reply))
        step = replace(step, stop=stop)
    mobile = step.automation.actions.mobile
    if mobile is not None and step.counts:
        is_there = str(mobile) == text.sender
        is_often = known.forwarded.get(place, 0) >= known.policy.most_replies
        forward_stop = Stop.SAME_NUMBER if is_there else Stop.TOO_MANY if is_often else None
        if forward_stop is None:
            known.forwarded[place] = known.forwarded.get(place, 0) + 1
        step = replace(step, forward_stop=forward_stop)
    return step


def _stop(text: Text, known: Known, replied: int) -> Stop | None:
    if text.sender in known.own_numbers:
        return Stop.OWN_LINE
    if not is_mobile(text.sender):
        return Stop.NOT_MOBILE
    words = words_of(text.body)
    if words and words in known.said.get((text.line_id, text.sender), set()):
        return Stop.ECHO
    return Stop.TOO_MANY if replied >= known.policy.most_replies else None
