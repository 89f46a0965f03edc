"""What the verifier takes for proof, for a finding, and for a forgery."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from hub.domain.handoff import PEN, TRANSITIONS
from hub.evidence import verify as verifier
from hub.protocol import agreement, signing
from hub.protocol.encoding import sha256_b64
from tests.evidence.ledger import HANDOFF, SIDES, Ledger, key_set
from tests.protocol.builders import a_key, an_id


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger()
    made.work()
    return made


def verdict(ledger: Ledger, *parties: str, **how: Any) -> verifier.Result:
    return verifier.verify(io.BytesIO(ledger.bundle(**how)), parties)


def altered(ledger: Ledger, **how: Any) -> tuple[str, str]:
    """Where it is altered, and how."""
    (problem,) = verdict(ledger, **how).problems
    assert problem.text("ru")
    assert problem.text("en")
    return problem.where.removeprefix("links/1/"), problem.code


def findings(ledger: Ledger, **how: Any) -> dict[str, int]:
    """Code of each finding, and how many messages it is about."""
    result = verdict(ledger, **how)
    assert result.problems == []
    for one in result.all_findings():
        assert one.text("ru")
    return {one.code: len(one.messages) for one in result.all_findings()}


def state(ledger: Ledger) -> tuple[str, int]:
    (handoff,) = verdict(ledger).links[0].handoffs
    return handoff.state, handoff.round


# --- the same rules as the nodes ----------------------------------------------------------


def test_the_verifier_has_the_table_the_nodes_have() -> None:
    assert dict(verifier.PEN) == {
        str(one): None if by is None else str(by) for one, by in PEN.items()
    }
    ours = {
        f"handoff.{row.act}": (str(row.by), {str(one) for one in row.sources}, str(row.target))
        for row in TRANSITIONS
    }
    theirs = {
        kind: (by, set(sources), target) for kind, (by, sources, target) in verifier.STEPS.items()
    }
    assert theirs == ours


# --- what holds ---------------------------------------------------------------------------


@pytest.mark.parametrize("ticket", [False, True])
@pytest.mark.parametrize("exporter", SIDES)
def test_an_honest_ledger_verifies_without_a_word(
    ledger: Ledger, exporter: str, ticket: bool
) -> None:
    assert findings(ledger, exporter=exporter, ticket=ticket) == {}
    assert state(ledger) == ("in_progress", 0)


def test_messages_without_a_receipt_are_named(ledger: Ledger) -> None:
    last = ledger.step("invitee", "resolve", "in_progress", resolution="Готово")
    result = verdict(ledger)
    (found,) = result.all_findings()
    assert (found.code, found.messages) == ("unreceipted", (last.envelope.id,))
    assert found.facts["who"] == "Мастер-Юг"


def test_a_receipt_of_a_ticket_covers_its_chain_and_nothing_that_is_not_shown(
    ledger: Ledger,
) -> None:
    ledger.write("invitee", "link.suspend", {})  # a gap in what a ticket shows
    ledger.step("invitee", "resolve", "in_progress")
    ledger.receipt("invitee")
    ledger.sides["invitee"].log.pop(2)  # link.suspend is not the ticket's
    assert findings(ledger, ticket=True) == {}
    assert altered(ledger) == ("invitee.ndjson", "chain")


def test_a_party_can_be_asked_for(ledger: Ledger) -> None:
    ours = [side.node_id for side in ledger.sides.values()]
    assert verdict(ledger, *ours).problems == []
    (problem,) = verdict(ledger, sha256_b64(b"another")).problems
    assert problem.code == "other_party"


def test_times_are_claimed_by_one_side_and_receipted_by_the_other(ledger: Ledger) -> None:
    first = verdict(ledger).links[0].timeline[0]
    assert (first.type, first.at) == ("handoff.offer", "2026-03-14T09:27:53.589Z")
    assert first.receipted_at == "2026-03-14T09:29:54.589Z"


# --- replay -------------------------------------------------------------------------------


def test_work_that_comes_back_is_counted(ledger: Ledger) -> None:
    ledger.step("invitee", "resolve", "in_progress")
    ledger.step("inviter", "return", "resolved", round=1, reason="Нет", cause="rejected")
    ledger.step("invitee", "resolve", "rework")
    ledger.step("inviter", "confirm", "resolved")
    ledger.step("inviter", "close", "confirmed")
    assert state(ledger) == ("closed", 1)


@pytest.mark.parametrize(
    ("which", "act", "before"),
    [
        ("inviter", "confirm", "in_progress"),  # the table has no such step
        ("inviter", "confirm", "resolved"),  # it does not stand there
        ("inviter", "resolve", "in_progress"),  # not the one who holds the pen
        ("invitee", "start", "accepted"),  # it says it started from where it is no more
    ],
)
def test_a_step_out_of_turn_is_contested_and_moves_nothing(
    ledger: Ledger, which: str, act: str, before: str
) -> None:
    ledger.step(which, act, before)
    ledger.receipt(which)
    assert findings(ledger) == {"contested_step": 1}
    assert state(ledger) == ("in_progress", 0)


def test_a_step_that_was_refused_is_no_longer_contested(ledger: Ledger) -> None:
    wrong = ledger.step("inviter", "confirm", "resolved")
    place = wrong.envelope
    ledger.write(
        "invitee",
        "message.rejected",
        {
            "ref_seq": place.seq,
            "ref_ep": 1,
            "ref_mh": wrong.hash,
            "ref_id": place.id,
            "code": "wrong_pen",
        },
    )
    for which in SIDES:
        ledger.receipt(which)
    assert findings(ledger) == {"rejected": 1}
    assert findings(ledger, ticket=True) == {"rejected": 1}


def test_a_step_whose_words_are_left_out_still_counts_by_its_type(ledger: Ledger) -> None:
    done = ledger.step("invitee", "resolve", "in_progress", resolution="Тайна")
    ledger.receipt("invitee")
    ledger.hidden.add(done.envelope.id)
    assert findings(ledger) == {"redacted": 1}
    assert state(ledger) == ("resolved", 0)


# --- chains, receipts, acknowledgements ------------------------------------------------------


def test_a_gap_in_a_log_is_no_log(ledger: Ledger) -> None:
    ledger.receipts.clear()
    ledger.sides["invitee"].log.pop(0)
    assert altered(ledger) == ("invitee.ndjson", "chain")
    assert altered(ledger, ticket=True) == ("invitee.ndjson", "handoff_chain")


def test_a_tail_that_a_receipt_covers_cannot_be_cut_off(ledger: Ledger) -> None:
    ledger.sides["invitee"].log.pop()
    assert altered(ledger) == ("receipts.ndjson", "cut")
    assert altered(ledger, ticket=True) == ("receipts.ndjson", "cut")


def test_a_tail_about_the_link_alone_that_a_receipt_covers_cannot_be_cut_off(
    ledger: Ledger,
) -> None:
    """No hand-off misses it: only the receipt over the whole stream gives it away."""
    ledger.write("invitee", "link.resume", {})
    ledger.receipt("invitee")
    assert findings(ledger) == {}
    ledger.sides["invitee"].log.pop()
    assert altered(ledger) == ("receipts.ndjson", "cut")


def test_a_tail_that_the_other_side_has_read_cannot_be_cut_off(ledger: Ledger) -> None:
    ledger.write("inviter", "link.resume", {})  # acknowledges everything of the other side
    ledger.receipts.clear()
    ledger.sides["invitee"].log.pop()
    assert altered(ledger) == ("inviter.ndjson", "cut")


def test_a_message_written_anew_does_not_fit_its_receipt(ledger: Ledger) -> None:
    side = ledger.sides["invitee"]
    old = side.log.pop()
    other = signing.seal_text(old.envelope, old.data.replace("accepted", "rejected"), side.msg)
    side.log.append(other)
    assert altered(ledger) == ("receipts.ndjson", "receipt")


def test_an_acknowledgement_of_something_else_gives_a_rewritten_message_away(
    ledger: Ledger,
) -> None:
    ledger.write("inviter", "link.resume", {})
    ledger.receipts.clear()
    side = ledger.sides["invitee"]
    old = side.log.pop()
    side.log.append(
        signing.seal_text(old.envelope, old.data.replace("accepted", "rejected"), side.msg)
    )
    assert altered(ledger) == ("inviter.ndjson", "ack")


def test_nobody_reads_what_is_not_written_yet(ledger: Ledger) -> None:
    ledger.receipts.clear()
    coming = ledger.sealed("invitee", "link.resume", {}, ack=(2, sha256_b64(b"later")))
    ahead = ledger.write("inviter", "link.suspend", {}, ack=(3, coming.hash))
    side = ledger.sides["invitee"]
    side.log.append(
        signing.seal_text(
            ledger.sealed("invitee", "link.resume", {}, ack=(2, ahead.hash)).envelope,
            coming.data,
            side.msg,
        )
    )
    assert altered(ledger)[1] in {"ack", "causality"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"head": sha256_b64(b"x")}, "receipt"),
        ({"upto": 7}, "cut"),
        ({"upto": 0}, "receipt"),
        ({"handoffs": {HANDOFF: (2, sha256_b64(b"x"))}}, "receipt"),
        ({"handoffs": {HANDOFF: (9, sha256_b64(b"x"))}}, "cut"),
        ({"stored": False}, "malformed"),
        ({"link": an_id("lnk", "x")}, "malformed"),
    ],
)
def test_a_receipt_has_to_fit_what_is_shown(
    ledger: Ledger, changes: dict[str, Any], code: str
) -> None:
    ledger.receipt("invitee", **changes)
    assert altered(ledger) == ("receipts.ndjson", code)


def test_only_the_other_side_gives_receipts(ledger: Ledger) -> None:
    ledger.receipt("invitee", signer=ledger.sides["invitee"].msg)
    assert altered(ledger) == ("receipts.ndjson", "unknown_key")


def test_a_message_of_another_ticket_does_not_belong_into_a_bundle(ledger: Ledger) -> None:
    other = an_id("hnd", "other")
    ledger.write("inviter", "comment.add", {"body": "чужое"}, handoff=other)
    assert altered(ledger, ticket=True) == ("inviter.ndjson", "foreign")
    assert findings(ledger) == {"unreceipted": 1}


def test_a_message_of_another_link_or_side_does_not_belong_into_a_log(ledger: Ledger) -> None:
    ledger.write("inviter", "link.resume", {}, link=an_id("lnk", "other"))
    assert altered(ledger) == ("inviter.ndjson", "addressed")
    ledger.sides["inviter"].log.pop()
    ledger.sides["inviter"].log.append(ledger.sealed("invitee", "link.resume", {}))
    assert altered(ledger) == ("inviter.ndjson", "addressed")


# --- epochs --------------------------------------------------------------------------------


def test_a_tail_signed_again_under_a_new_epoch_is_told_of(ledger: Ledger) -> None:
    ledger.step("invitee", "resolve", "in_progress")
    ledger.begin_epoch("invitee", 3)
    ledger.receipt("invitee")
    for ticket in (False, True):
        assert findings(ledger, ticket=ticket) == {"superseded": 1}
    assert state(ledger) == ("resolved", 0)


def test_an_epoch_cannot_rewrite_what_was_receipted(ledger: Ledger) -> None:
    ledger.begin_epoch("invitee", 2)  # the second message was receipted
    for ticket in (False, True):
        assert altered(ledger, ticket=ticket) == ("invitee.ndjson", "rewritten")


def test_an_epoch_cannot_rewrite_what_the_other_side_has_read(ledger: Ledger) -> None:
    ledger.write("inviter", "link.resume", {})
    ledger.receipts.clear()
    ledger.begin_epoch("invitee", 2)
    assert altered(ledger) == ("invitee.ndjson", "rewritten")


@pytest.mark.parametrize("said", [{"epoch": 3}, {"start_seq": 1}])
def test_an_epoch_says_where_it_begins(ledger: Ledger, said: dict[str, Any]) -> None:
    ledger.begin_epoch("invitee", 3, said=said)
    assert altered(ledger) == ("invitee.ndjson", "epoch")


def test_an_epoch_is_announced(ledger: Ledger) -> None:
    ledger.write("invitee", "link.resume", {}, epoch=2)
    assert altered(ledger) == ("invitee.ndjson", "epoch")


def test_an_epoch_does_not_go_back(ledger: Ledger) -> None:
    ledger.begin_epoch("invitee", 3, 5)
    ledger.begin_epoch("invitee", 4, 4)
    assert altered(ledger) == ("invitee.ndjson", "epoch")


def test_a_copy_that_no_epoch_supersedes_is_contested(ledger: Ledger) -> None:
    ledger.superseded.append(ledger.sealed("invitee", "link.resume", {}))
    assert findings(ledger) == {"superseded": 1, "contested_copy": 1}


def test_what_stands_in_the_log_is_not_superseded(ledger: Ledger) -> None:
    ledger.superseded.append(ledger.sides["invitee"].log[-1])
    assert altered(ledger) == ("superseded.ndjson", "not_superseded")


def test_an_epoch_whose_words_are_erased_is_still_one(ledger: Ledger) -> None:
    ledger.step("invitee", "resolve", "in_progress")
    ledger.begin_epoch("invitee", 3)
    ledger.receipt("invitee")
    begun = next(one for one in ledger.sides["invitee"].log if one.envelope.type == "link.epoch")
    ledger.hidden.add(begun.envelope.id)
    assert findings(ledger) == {"superseded": 1, "redacted": 1}


def test_keys_whose_words_are_erased_are_still_known(ledger: Ledger) -> None:
    ledger.rotate("invitee")
    ledger.step("invitee", "resolve", "in_progress")
    ledger.receipt("invitee")
    told = next(one for one in ledger.sides["invitee"].log if one.envelope.type == "link.keys")
    ledger.hidden.add(told.envelope.id)
    assert findings(ledger) == {"redacted": 1}


# --- contradictions -------------------------------------------------------------------------


def test_two_messages_for_one_position_are_contested(ledger: Ledger) -> None:
    first = ledger.sides["invitee"].log[0].envelope
    ledger.forks.append(
        ledger.sealed(
            "invitee",
            "handoff.decline",
            {},
            handoff=HANDOFF,
            seq=1,
            prev=first.prev,
            hseq=1,
            hprev=first.prev,
        )
    )
    assert findings(ledger) == {"fork": 1}
    assert findings(ledger, ticket=True) == {"fork": 1}


def test_a_copy_of_the_log_is_no_contradiction(ledger: Ledger) -> None:
    ledger.forks.append(ledger.sides["invitee"].log[0])
    assert altered(ledger) == ("forks.ndjson", "no_fork")


# --- keys -----------------------------------------------------------------------------------


def test_keys_change_in_the_stream_and_old_messages_stay_proven(ledger: Ledger) -> None:
    ledger.rotate("invitee")
    ledger.step("invitee", "resolve", "in_progress")
    ledger.receipt("invitee")
    ledger.receipt("inviter")  # by the new key
    for exporter in SIDES:
        for ticket in (False, True):
            assert findings(ledger, exporter=exporter, ticket=ticket) == {}


def test_a_key_does_not_seal_behind_the_one_that_followed_it(ledger: Ledger) -> None:
    old = ledger.rotate("invitee")
    ledger.write("invitee", "link.resume", {}, signer=old)
    assert altered(ledger) == ("invitee.ndjson", "unknown_key")


def test_a_key_does_not_seal_before_it_was_announced(ledger: Ledger) -> None:
    ledger.write("invitee", "link.resume", {}, signer=a_key("Мастер-Юг msg 2"))
    ledger.rotate("invitee")
    assert altered(ledger) == ("invitee.ndjson", "unknown_key")


def test_behind_a_revoked_key_a_later_one_speaks_before_the_stream_announces_it(
    ledger: Ledger,
) -> None:
    side = ledger.sides["invitee"]
    ledger.step("invitee", "resolve", "in_progress")  # by whoever has the key now
    text = key_set(side, 2, a_key("new"), revoked=[side.msg.kid])
    side.sets.append(text)
    side.msg = a_key("new")
    ledger.write("invitee", "link.keys", {"key_set": text})
    assert findings(ledger) == {"unreceipted": 2, "contested_key": 1}
    assert "contested" in verdict(ledger).links[0].timeline[-2].marks
    ledger.receipt("invitee")
    assert findings(ledger) == {}  # the other side had it in time


def test_keys_that_the_identity_did_not_sign_have_no_effect(ledger: Ledger) -> None:
    side = ledger.sides["invitee"]
    identity, side.identity = side.identity, a_key("thief")
    text = key_set(side, 2, a_key("thief msg"), identity=2)
    side.identity = identity
    ledger.write("invitee", "link.keys", {"key_set": text})
    ledger.receipt("invitee")
    assert findings(ledger) == {"contested_keys": 1}
    ledger.write("invitee", "link.resume", {}, signer=a_key("thief msg"))
    assert altered(ledger) == ("invitee.ndjson", "unknown_key")


def test_an_identity_that_follows_another_is_followed(ledger: Ledger) -> None:
    ledger.new_identity("invitee")
    ledger.rotate("invitee", identity=2)
    ledger.step("invitee", "resolve", "in_progress")
    ledger.receipt("invitee")
    for exporter in SIDES:
        assert findings(ledger, exporter=exporter) == {}


def test_an_identity_that_nobody_vouches_for_is_not_followed(ledger: Ledger) -> None:
    ledger.new_identity("invitee")
    ledger.sides["invitee"].succession[0] = ledger.sides["invitee"].succession[1]
    ledger.rotate("invitee", identity=2)
    assert altered(ledger) == ("proof.json", "agreement")


def test_the_manifest_is_signed_by_a_message_key_of_the_exporter(ledger: Ledger) -> None:
    for signer in (ledger.sides["invitee"].msg, ledger.sides["inviter"].identity, a_key("thief")):
        assert altered(ledger, signer=signer) == ("manifest.jws", "unknown_key")


# --- revisions of the agreement ----------------------------------------------------------------


def _amend(ledger: Ledger, *, accept_by: str = "invitee") -> None:
    text = ledger.compose(2)
    signatures = {
        which: agreement.sign(text, side.identity) for which, side in ledger.sides.items()
    }
    ledger.write("inviter", "link.amend", {"agreement": text.text, "sig": signatures["inviter"]})
    ledger.write(
        "invitee", "link.amended", {"agreement_hash": text.hash, "sig": signatures[accept_by]}
    )


def test_a_revision_both_have_signed_is_in_force(ledger: Ledger) -> None:
    _amend(ledger)
    ledger.write("inviter", "link.resume", {}, agreement=2)
    assert findings(ledger) == {"unreceipted": 1}
    assert set(verdict(ledger).links[0].revisions) == {1, 2}


def test_a_revision_only_one_has_signed_is_none(ledger: Ledger) -> None:
    _amend(ledger, accept_by="inviter")
    ledger.write("inviter", "link.resume", {}, agreement=2)
    assert findings(ledger)["contested_terms"] == 1
    assert set(verdict(ledger).links[0].revisions) == {1}


def test_an_agreement_of_other_words_is_none(ledger: Ledger) -> None:
    ledger.agreement = agreement.parse(ledger.agreement.text.replace("revision 1", "revision I"))
    assert altered(ledger) == ("proof.json", "agreement")


def test_a_message_points_back_to_the_one_before_it(ledger: Ledger) -> None:
    ledger.write("invitee", "link.resume", {}, prev=sha256_b64(b"another"))
    assert altered(ledger) == ("invitee.ndjson", "chain")


def test_a_message_points_back_to_the_one_before_it_about_its_hand_off(ledger: Ledger) -> None:
    ledger.write(
        "invitee", "handoff.plan", {}, handoff=HANDOFF, hseq=3, hprev=sha256_b64(b"another")
    )
    assert altered(ledger) == ("invitee.ndjson", "handoff_chain")


def test_a_signature_is_that_of_its_own_message(ledger: Ledger) -> None:
    log = ledger.sides["invitee"].log
    signed, _, _ = log[1].env.rpartition(".")
    log[1] = replace(log[1], env=f"{signed}.{log[0].env.rpartition('.')[2]}")
    assert altered(ledger) == ("invitee.ndjson", "signature")


@pytest.mark.parametrize("exporter", SIDES)
def test_whoever_exports_cannot_put_other_words_under_a_signature(
    ledger: Ledger, exporter: str
) -> None:
    """The bundle is sealed over the changed words: only the signed message gives them away."""
    log = ledger.sides["inviter"].log
    log[0] = replace(log[0], data=log[0].data.replace("Не печатает", "Печатает"))
    assert altered(ledger, exporter=exporter) == ("inviter.ndjson", "payload")
