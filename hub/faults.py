"""Named points at which a process may die: real lines of the product, of no effect in production.

`fault("inbox.before_commit")` does nothing unless somebody armed it: a simulation sets
`strike`, and a process under test is told by HUB_CRASH_AT (`point:n` kills it the n-th time it
comes by). Every point is listed in POINTS, so a harness can visit all of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Final

POINTS: Final[dict[str, str]] = {
    # every transaction
    "database.statement": "the next statement is made, but not handed to the database",
    "database.before_commit": "a transaction is complete, none of it is durable",
    "database.after_commit": "it is durable, nobody has been told",
    "database.told_one": "one of those who share a commit has been told, others have not",
    # a peer's batch comes in
    "inbox.verified": "every message of it is proven, none is stored",
    "inbox.stored": "the messages are written, no receipt is signed, nothing is committed",
    "inbox.receipt_signed": "the receipt is signed and kept, nothing is committed",
    "inbox.before_answer": "messages and receipt are durable, the peer has no answer",
    "inbox.before_apply": "a turn has begun, nothing of it is applied",
    "inbox.applied_one": "the effect of a message is there, its own part of the turn is open",
    "inbox.between_messages": "one message is settled, later ones and the commit are to come",
    "inbox.rejected_one": "a refusal is sealed, the message's row is settled, nothing committed",
    "inbox.after_apply": "effects are durable, the next turn has not begun",
    # a message of ours goes out
    "outbox.sealed": "a message is sealed and stored, its act is not committed",
    "outbox.before_send": "a batch is put together, nothing of it has left",
    "outbox.after_send": "the peer has answered, its receipt is not recorded",
    "outbox.receipt_recorded": "the receipt is written, not committed",
    "outbox.after_receipt": "the receipt is durable, the next batch has not left",
    "outbox.failure_recorded": "a failed attempt is counted, not committed",
    # a node that nobody can call collects what is for it
    "collect.answered": "the peer has answered what is for us, nothing of it is stored",
    "collect.before_receipt": "it is stored and receipted, the receipt has not left",
    "collect.after_receipt": "the peer has taken the receipt, this process does not know",
    "collect.keys_taken": "the peer's new keys are taken, it does not know that",
    # foreign desks
    "bridge.written": "something of ours is on the desk, nothing here says so",
    # files
    "blobs.chunk_taken": "a piece of an upload is written, more is to come",
    "blobs.synced": "a whole upload is on disk under a passing name",
    "blobs.before_rename": "a file is whole and proven, not visible",
    "blobs.after_rename": "it is visible, its folder is not synced",
    "blobs.published": "it is visible and durable, no row knows of it",
    "files.part_written": "a piece of a peer's file is written, more is to come",
    "files.part_synced": "all of it is on disk, its digest is not checked",
    "files.before_row": "it is in the store, its row still waits for it",
    "files.row_written": "its row is settled and the peer's report sealed, not committed",
    # how a node begins
    "keystore.one_written": "one key is on disk in a passing folder",
    "keystore.before_rename": "all keys are on disk in a passing folder",
    "keystore.after_rename": "the keys are in place, their folder is not synced",
    "founding.keys_made": "there are keys and no database",
    "founding.database_made": "there is an empty database of the right shape",
    "migration.before_first": "the database has its old shape",
    "migration.one_applied": "one step is done, nothing is committed",
    "migration.before_commit": "all steps are done, nothing is committed",
    # how a link begins
    "handshake.invited": "an invitation is written, not committed",
    "handshake.request_made": "the invitee's request is written, not committed",
    "handshake.before_request": "the request is durable, it has not left",
    "handshake.agreement_made": "the inviter wrote the agreement, not committed",
    "handshake.after_request": "the inviter has answered, the invitee holds no agreement",
    "handshake.agreement_taken": "the invitee wrote the agreement, not committed",
    "handshake.before_signature": "the invitee holds the agreement, nobody of it has signed",
    "handshake.signed": "our signature is written, not committed",
    "handshake.after_signature": "the peer has ours and answered, its answer is not written",
    "handshake.activated": "the link is active in this transaction, not committed",
    # what programs are answered
    "answer.kept": "an effect and its answer are written, not committed",
    "answer.before_given": "both are durable, the program has no answer",
    "answer.before_kept": "something that talks to a peer is done, its answer is not kept",
    # after a start
    "run.begun": "a run is written, no link of it is synced, not committed",
    "sync.asked": "the peer has said where it stands, nothing is written",
    "sync.peer_noted": "the side that is asked wrote the epoch down, not committed",
    "sync.noted": "the peer noted our epoch down, we have not begun it",
    "sync.their_epoch_noted": "we noted the epoch of a peer that waits for our word, it has none",
    "turns.page_taken": "a page of our own log came back, not committed",
    "sync.begun": "the epoch is begun and the rest signed again, not committed",
    # what was erased
    "erasure.files_dropped": "files are gone from the disk, that they are is not committed",
    # by themselves
    "timers.before": "nothing that is due has been done",
    "timers.between": "some of what is due is done",
    "leases.taken": "a link is ours for a minute, its work has not begun",
    # backup and restore
    "backup.database_copied": "the copy of the database is whole; no archive yet",
    "backup.written": "the archive is whole; it does not have its name yet",
    "restore.unpacked": "every hash is right; nothing of the node was touched",
    "restore.prepared": "the restored database is ready beside the old one",
    "restore.keys_placed": "a new directory has its settings and keys; no database",
    "restore.renewed": "the installation has its new name; the old database is in place",
    "restore.files_laid": "the files of the backup are beside the old ones",
    "restore.set_aside": "the old database has its second name; it is still in place",
    "restore.swapped": "the restored database is in place; the room is not tidied",
    # how keys are rotated
    "keystore.generation_begins": "new keys are made, nothing of them is on disk",
    "keystore.generation_written": "they are on disk under a passing name",
    "keystore.generation_named": "they are in place, their folder is not synced",
    "keys.on_disk": "new keys are durable, the database does not know of them",
    "keys.announced": "key set and announcements are written, not committed",
    "keys.committed": "they are durable, this process still works with the old keys",
}
"""Name → what has just happened and what has not, where the process dies here."""


def fault(point: str) -> None:
    """Pass, or die where a harness says so. The point must be in POINTS."""
    if strike is not None:
        strike(point)


def _from_environment() -> Callable[[str], None] | None:
    """Die the n-th time this point is passed, without any farewell."""
    wanted = os.environ.get("HUB_CRASH_AT", "")
    if not wanted:
        return None
    name, _, count = wanted.partition(":")
    left = int(count or 1)

    def kill(point: str) -> None:
        nonlocal left
        if point == name:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return kill


strike: Callable[[str], None] | None = _from_environment()
"""What happens at a point; a harness in the same process sets its own."""
