"""Texts that wait are looked at: what their automations make of them is written in one transaction, each text once."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sms.contacts.operations import add_members, remove_members
from sms.contacts.queries import groups
from sms.core.db import execute, rows
from sms.core.phone import local
from sms.core.queue import GENERAL_QUEUE, Job, ring
from sms.inbox.automations.queries.automations import of_lines
from sms.inbox.automations.queries.knowing import known
from sms.inbox.automations.rules.deciding import Known, Step, Text, decide
from sms.inbox.automations.rules.kinds import Automation, Kind, Result
from sms.inbox.forwarding.operations import deliveries, mails
from sms.inbox.rules import is_mobile

log = logging.getLogger(__name__)
_RUNNERS = 815_493_032  # one at a time: what one text changes is known before the next is looked at
SOURCE = "automation"


def await_looks(*, text_ids: Sequence[int]) -> int:
    """New texts wait for the automations of their line; returns how many do. Texts to lines without any do not."""
    count = execute(
        """INSERT INTO inbox_waiting (text_id)
           SELECT m.id FROM inbox_message m WHERE m.id = ANY(:ids) AND EXISTS (
               SELECT FROM inbox_automation a WHERE a.line_id = m.line_id AND a.account_id = m.account_id
                 AND a.removed_at IS NULL AND a.is_on)
           ON CONFLICT DO NOTHING""",
        ids=list(text_ids),
    )
    if count:
        ring(Job.AUTOMATE, queue=GENERAL_QUEUE)
    return count


_TAKEN = """
WITH taken AS (
    DELETE FROM inbox_waiting WHERE text_id IN (SELECT text_id FROM inbox_waiting ORDER BY text_id LIMIT :most)
    RETURNING text_id)
SELECT m.id, m.account_id, m.line_id, m.sender, m.body, m.received_at AS at
FROM taken t JOIN inbox_message m ON m.id = t.text_id ORDER BY m.received_at, m.id
"""


class Done(NamedTuple):
    """What an automation made of a text."""

    text: Text
    step: Step


def run(*, most: int, at: datetime) -> int:
    """Look at texts that wait, in the order in which they came; returns how many. What is to be sent, mailed or posted
    is queued; groups, codes, votes, answers and members are changed at once."""
    execute(f"SELECT pg_advisory_xact_lock({_RUNNERS})")
    texts = [Text(**found._mapping) for found in rows(_TAKEN, most=most)]
    if not texts:
        return 0
    automations = of_lines([text.line_id for text in texts])
    by_place: dict[tuple[int, int], list[Automation]] = defaultdict(list)
    for automation in automations:
        by_place[automation.line_id, automation.account_id].append(automation)
    so_far = known(texts, automations, at=at)
    done = [
        Done(text, step) for text in texts for step in decide(text, by_place[text.line_id, text.account_id], so_far)
    ]
    _write(done, so_far, at=at)
    return len(texts)


def _write(done: Sequence[Done], so_far: Known, *, at: datetime) -> None:
    if not done:
        return
    _use_codes(done)
    _count_votes(done)
    _keep_answers(done)
    _keep_members(done, so_far)
    changed = _change_groups(done, at=at)
    _keep_acts(done, changed, at=at)
    _queue_sends(done, at=at)
    counting = [each for each in done if each.step.counts]
    for_mail = [each for each in counting if each.step.automation.actions.email]
    mails.queue(
        text_ids=[each.text.id for each in for_mail],
        automation_ids=[each.step.automation.id for each in for_mail],
        recipients=[each.step.automation.actions.email for each in for_mail],
        at=at,
    )
    for_hooks = [(each.step.automation.actions.hook_id, each.text.id) for each in counting]
    chosen = [(hook_id, text_id) for hook_id, text_id in for_hooks if hook_id is not None]
    deliveries.queue_chosen(
        hook_ids=[hook_id for hook_id, _ in chosen], text_ids=[text_id for _, text_id in chosen], at=at
    )


def _with(done: Iterable[Done], *results: Result) -> list[Done]:
    return [each for each in done if each.step.result in results]


def _use_codes(done: Sequence[Done]) -> None:
    used = _with(done, Result.VALID)
    if not used:
        return
    count = execute(
        """UPDATE inbox_code c SET used_text_id = n.text_id, used_by = n.sender, used_at = n.at
           FROM unnest(CAST(:automations AS int[]), CAST(:codes AS text[]), CAST(:texts AS bigint[]),
                CAST(:senders AS text[]), CAST(:moments AS timestamptz[]))
               AS n (automation_id, code, text_id, sender, at)
           WHERE c.automation_id = n.automation_id AND c.code = n.code AND c.used_text_id IS NULL""",
        automations=[each.step.automation.id for each in used],
        codes=[each.step.detail for each in used],
        texts=[each.text.id for each in used],
        senders=[each.text.sender for each in used],
        moments=[each.text.at for each in used],
    )
    if count != len(used):  # somebody else used one meanwhile: all of it is undone, and looked at again
        raise RuntimeError("a code was used twice at once")


def _count_votes(done: Sequence[Done]) -> None:
    last: dict[tuple[int, str], Done] = {}
    first: dict[tuple[int, str], int] = {}
    for each in _with(done, Result.VOTE, Result.CHANGED):
        place = (each.step.automation.id, each.text.sender)
        first.setdefault(place, each.text.id)
        last[place] = each
    if not last:
        return
    execute(
        """INSERT INTO inbox_vote AS v (automation_id, sender, option_id, text_id, voted_at)
           SELECT * FROM unnest(CAST(:automations AS int[]), CAST(:senders AS text[]), CAST(:options AS int[]),
               CAST(:texts AS bigint[]), CAST(:moments AS timestamptz[]))
           ON CONFLICT (automation_id, sender) DO UPDATE SET option_id = excluded.option_id,
               voted_at = excluded.voted_at, changes = v.changes + 1""",
        automations=[automation_id for automation_id, _ in last],
        senders=[sender for _, sender in last],
        options=[each.step.option_id for each in last.values()],
        texts=[first[place] for place in last],
        moments=[each.text.at for each in last.values()],
    )


def _keep_answers(done: Sequence[Done]) -> None:
    last = {
        (each.step.automation.id, each.text.sender): each
        for each in _with(done, Result.RIGHT, Result.WRONG)
        if each.step.option_id
    }
    if not last:
        return
    execute(
        """INSERT INTO inbox_answer AS v (automation_id, sender, is_right, given, text_id, answered_at)
           SELECT * FROM unnest(CAST(:automations AS int[]), CAST(:senders AS text[]), CAST(:right AS boolean[]),
               CAST(:given AS text[]), CAST(:texts AS bigint[]), CAST(:moments AS timestamptz[]))
           ON CONFLICT (automation_id, sender) DO UPDATE SET is_right = excluded.is_right, given = excluded.given,
               text_id = excluded.text_id, answered_at = excluded.answered_at WHERE NOT v.is_right""",
        automations=[automation_id for automation_id, _ in last],
        senders=[sender for _, sender in last],
        right=[each.step.result is Result.RIGHT for each in last.values()],
        given=[each.step.detail for each in last.values()],
        texts=[each.text.id for each in last.values()],
        moments=[each.text.at for each in last.values()],
    )


def _keep_members(done: Sequence[Done], so_far: Known) -> None:
    touched = {
        (each.step.automation.id, each.text.sender): each
        for each in _with(done, Result.ASKED, Result.JOINED, Result.CANCELLED)
        if each.step.automation.kind is Kind.CLUB
    }
    gone = [place for place in touched if so_far.members.get(place) is None]
    if gone:
        execute(
            """DELETE FROM inbox_member m USING unnest(CAST(:automations AS int[]), CAST(:senders AS text[]))
                   AS n (automation_id, sender)
               WHERE m.automation_id = n.automation_id AND m.sender = n.sender""",
            automations=[automation_id for automation_id, _ in gone],
            senders=[sender for _, sender in gone],
        )
    for place, each in touched.items():
        member = so_far.members.get(place)
        if member is not None:
            execute(
                """INSERT INTO inbox_member (automation_id, sender, step, answers, asked_at, joined_at, text_id)
                   VALUES (:automation_id, :sender, :step, :answers, :asked_at, :joined_at, :text_id)
                   ON CONFLICT (automation_id, sender) DO UPDATE SET step = excluded.step, answers = excluded.answers,
                       asked_at = excluded.asked_at, joined_at = excluded.joined_at, text_id = excluded.text_id""",
                automation_id=place[0],
                sender=place[1],
                step=member.step,
                answers=list(member.answers),
                asked_at=member.asked_at,
                joined_at=member.asked_at if member.step is None else None,
                text_id=each.text.id,
            )


def _change_groups(done: Sequence[Done], *, at: datetime) -> dict[tuple[int, int], list[str]]:
    """Put senders into groups and take them out; returns what was done, by text and automation. A group that is gone
    meanwhile is noted."""
    changed: dict[tuple[int, int], list[str]] = defaultdict(list)
    numbers: dict[tuple[int, int, str], list[int]] = defaultdict(list)
    there: dict[int, set[int]] = {}
    for text, step in done:
        if not (step.counts and is_mobile(text.sender)):
            continue
        actions = step.automation.actions
        for group_id, word in ((actions.add_group_id, "added"), (actions.remove_group_id, "removed")):
            if group_id is None:
                continue
            if text.account_id not in there:
                there[text.account_id] = {group.id for group in groups(text.account_id)}
            is_there = group_id in there[text.account_id]
            changed[text.id, step.automation.id].append(word if is_there else "gone")
            if is_there:
                numbers[text.account_id, group_id, word].append(int(text.sender))
    for (account_id, group_id, word), these in numbers.items():
        if word == "added":
            add_members(account_id=account_id, group_id=group_id, numbers=these, source=SOURCE, at=at)
        else:
            remove_members(account_id=account_id, group_id=group_id, numbers=these, at=at)
    return changed


def _keep_acts(done: Sequence[Done], changed: dict[tuple[int, int], list[str]], *, at: datetime) -> None:
    execute(
        """INSERT INTO inbox_act (account_id, line_id, text_id, automation_id, result, keyword, detail, stop,
               forward_stop, groups, after_send_id, at)
           SELECT n.account_id, n.line_id, n.text_id, n.automation_id, n.result, n.keyword, n.detail, n.stop,
               n.forward_stop, string_to_array(n.groups, ' '), n.after_send_id, :at
           FROM unnest(CAST(:accounts AS bigint[]), CAST(:lines AS int[]), CAST(:texts AS bigint[]),
               CAST(:automations AS int[]), CAST(:results AS text[]), CAST(:keywords AS text[]),
               CAST(:details AS text[]), CAST(:stops AS text[]), CAST(:forward_stops AS text[]),
               CAST(:groups AS text[]), CAST(:after AS bigint[]))
               AS n (account_id, line_id, text_id, automation_id, result, keyword, detail, stop, forward_stop, groups,
                     after_send_id)""",
        accounts=[each.text.account_id for each in done],
        lines=[each.text.line_id for each in done],
        texts=[each.text.id for each in done],
        automations=[each.step.automation.id for each in done],
        results=[str(each.step.result) for each in done],
        keywords=[each.step.keyword for each in done],
        details=[each.step.detail for each in done],
        stops=[str(each.step.stop or "") for each in done],
        forward_stops=[str(each.step.forward_stop or "") for each in done],
        groups=[" ".join(changed.get((each.text.id, each.step.automation.id), [])) for each in done],
        after=[each.step.answers_send_id for each in done],
        at=at,
    )


def _queue_sends(done: Sequence[Done], *, at: datetime) -> None:
    """Replies to those who wrote, and texts that go on to a mobile."""
    sends = [
        (each, "reply", int(each.text.sender), each.step.reply)
        for each in done
        if each.step.reply and each.step.stop is None
    ]
    sends += [
        (each, "forward", each.step.automation.actions.mobile or 0, forwarded_body(each.text))
        for each in done
        if each.step.forwards
    ]
    if not sends:
        return
    execute(
        """INSERT INTO inbox_auto_send (account_id, user_id, line_id, text_id, automation_id, kind, sender, recipient,
               body, created_at)
           SELECT n.*, :at FROM unnest(CAST(:accounts AS bigint[]), CAST(:users AS bigint[]), CAST(:lines AS int[]),
               CAST(:texts AS bigint[]), CAST(:automations AS int[]), CAST(:kinds AS text[]), CAST(:senders AS text[]),
               CAST(:recipients AS bigint[]), CAST(:bodies AS text[])) AS n""",
        accounts=[each.text.account_id for each, *_ in sends],
        users=[each.step.automation.user_id for each, *_ in sends],
        lines=[each.text.line_id for each, *_ in sends],
        texts=[each.text.id for each, *_ in sends],
        automations=[each.step.automation.id for each, *_ in sends],
        kinds=[kind for _, kind, _, _ in sends],
        senders=[each.text.sender for each, *_ in sends],
        recipients=[recipient for _, _, recipient, _ in sends],
        bodies=[body for *_, body in sends],
        at=at,
    )


def forwarded_body(text: Text) -> str:
    """What a text says when it goes on to a mobile: who wrote it, then what."""
    sender = local(int(text.sender)) if is_mobile(text.sender) else text.sender
    return f"{sender}:\n{text.body}"
