"""Words are heard when a text arrives, and set; what is answered to them is set by who owns the line."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.accounts.operations import record
from sms.contacts.operations import opt_in, opt_out
from sms.contacts.rules import Source
from sms.contacts.words.queries import words
from sms.contacts.words.rules import Action, Said, check_reply, check_word, last_said
from sms.core.actor import Actor
from sms.core.db import execute, row, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.queue import GENERAL_QUEUE, Job, ring
from sms.core.text import N_
from sms.core.words import folded
from sms.lines.queries import account_line

_ANSWER = """
INSERT INTO contacts_reply_due (account_id, user_id, line_id, recipient, body, created_at)
SELECT r.account_id, r.user_id, r.line_id, n.recipient, CASE WHEN :is_out THEN r.out_body ELSE r.in_body END, :at
FROM contacts_reply r JOIN lines_line l ON l.id = r.line_id AND l.account_id = r.account_id,
     unnest(CAST(:recipients AS bigint[])) AS n (recipient)
WHERE r.line_id = :line_id AND r.account_id = :account_id
  AND CASE WHEN :is_out THEN r.out_body ELSE r.in_body END <> ''
"""


def hear(texts: Sequence[Said], *, at: datetime) -> int:
    """Block lines for those who said so, and open them again for those who came back; who said both means the last.
    What changes is answered where the line's owner wants that. Returns how many opted out or in."""
    known = words()
    wanted: defaultdict[tuple[int, int | None, Action], list[tuple[int, str]]] = defaultdict(list)
    for said, action in last_said(texts, known).values():
        wanted[said.line_id, said.account_id, action].append((said.sender, said.body))
    count = 0
    for (line_id, account_id, action), senders in wanted.items():
        changed = [
            sender for sender, body in senders if _heard(action, sender, body, line_id=line_id, of=account_id, at=at)
        ]
        count += len(changed)
        if changed and account_id is not None:
            _answer(changed, line_id=line_id, account_id=account_id, is_out=action is Action.OUT, at=at)
    return count


def _heard(action: Action, sender: int, body: str, *, line_id: int, of: int | None, at: datetime) -> bool:
    if action is Action.IN:
        return opt_in(account_id=of, recipients=[sender], line_id=line_id) > 0
    reason = " ".join(body.split())
    return opt_out(account_id=of, recipients=[sender], line_id=line_id, reason=reason, source=Source.TEXT, at=at) > 0


def _answer(recipients: Sequence[int], *, line_id: int, account_id: int, is_out: bool, at: datetime) -> None:
    due = execute(_ANSWER, recipients=list(recipients), line_id=line_id, account_id=account_id, is_out=is_out, at=at)
    if due:
        ring(Job.SEND_REPLIES, queue=GENERAL_QUEUE)


def take_due(*, reply_id: int) -> Row[Any] | None:
    """Take an answer off the list, to send it in the same transaction; None when somebody else has."""
    return row("DELETE FROM contacts_reply_due WHERE id = :id RETURNING *", id=reply_id)


# Words


def add_word(*, word: str, action: Action, line_number: str, by: Actor, at: datetime) -> int:
    """Let a word mean something, on every line or on one; returns its id. Raises NotFound or Refusal."""
    shown = check_word(word)
    line_id = None
    if line_number:
        line_id = scalar("SELECT id FROM lines_line WHERE number = :number", number=line_number)
        if line_id is None:
            raise NotFound(N_("There is no such line."))
    made = scalar(
        """INSERT INTO contacts_word (line_id, word, folded, action, created_at)
           VALUES (:line_id, :word, :folded, :action, :at) ON CONFLICT (line_id, folded) DO NOTHING RETURNING id""",
        line_id=line_id,
        word=shown,
        folded=folded(shown),
        action=str(action),
        at=at,
    )
    if made is None:
        raise Refusal(N_("This word has its meaning already; take that away first."))
    _audit("contacts.word_added", {"word": shown, "action": str(action), "line": line_number}, by=by, at=at)
    return int(made)


def remove_word(*, word_id: int, by: Actor, at: datetime) -> None:
    """Let a word mean nothing any more; what it did stays. Raises NotFound."""
    gone = row("DELETE FROM contacts_word WHERE id = :id RETURNING word, action", id=word_id)
    if gone is None:
        raise NotFound(N_("There is no such word."))
    _audit("contacts.word_removed", {"word": gone.word, "action": gone.action}, by=by, at=at)


def _audit(action: str, details: dict[str, object], *, by: Actor, at: datetime) -> None:
    record(actor_id=by.id, account_id=None, action=action, details=details, at=at, address=by.address)


def set_reply(*, account_id: int, user_id: int, line_id: int, out_body: str, in_body: str) -> None:
    """What is answered over an own line to who opts out and to who comes back; empty for nothing. Answers cost what
    any text costs, in this user's name. Raises NotFound or Refusal."""
    account_line(account_id, line_id)
    execute(
        """INSERT INTO contacts_reply (line_id, account_id, user_id, out_body, in_body)
           VALUES (:line_id, :account_id, :user_id, :out_body, :in_body)
           ON CONFLICT (line_id) DO UPDATE SET account_id = excluded.account_id, user_id = excluded.user_id,
               out_body = excluded.out_body, in_body = excluded.in_body""",
        line_id=line_id,
        account_id=account_id,
        user_id=user_id,
        out_body=check_reply(out_body),
        in_body=check_reply(in_body),
    )
