"""Whatever people do by a form of the console, programs do by a route; or it is said why not."""

from __future__ import annotations

from hub.api.routes import ROUTES
from hub.console.routes import PAGES
from tests.api.conftest import Desk

OWN = "a person's own way in: for no program (docs/decisions/0026)"
SECRET = "a secret that is told once, to a person; answers of the API are kept for two days"
REQUESTER = "a page for requesters, who have no token"

FORMS: dict[str, tuple[str, ...] | str] = {
    "bulk": ("changeTicket", "useMacro"),
    "save_view": ("saveView",),
    "remove_view": ("removeView",),
    "create_ticket": ("createTicket",),
    "say": ("addComment",),
    "change_ticket": ("changeTicket",),
    "take_ticket": ("changeTicket",),
    "use_macro": ("useMacro",),
    "tie_ticket": ("tieTickets",),
    "untie_ticket": ("untieTickets",),
    "tick": ("tickItem",),
    "keep_draft": ("keepDraft",),
    "presence": "a program looks at nothing with its eyes",
    "upload": ("addFiles",),
    "offer": ("offerHandoff",),
    "send_handoff": ("offerHandoff",),
    "undo_handoff": ("cancelHandoff",),
    "cancel_handoff": ("cancelHandoff",),
    "refuse_cancel": ("refuseCancelHandoff",),
    "rate_handoff": ("rateHandoff",),
    "ask_consent": ("askConsentHandoff",),
    "consent": ("consentHandoff",),
    "act": (
        *("acceptHandoff", "declineHandoff", "startHandoff", "pendHandoff", "resolveHandoff"),
        *("handBackHandoff", "confirmHandoff", "returnHandoff", "closeHandoff", "cancelHandoff"),
    ),
    "advance_visit": ("advanceVisit",),
    "guest_reply": REQUESTER,
    "guest_rate": REQUESTER,
    "guest_upload": REQUESTER,
    "invite_guest": ("inviteGuest", "revokeGuests"),
    "speak": "a program says its language with every request",
    "signing_in": OWN,
    "entering_code": OWN,
    "sign_out": OWN,
    "entering": OWN,
    "change_profile": OWN,
    "change_password": OWN,
    "end_session": OWN,
    "end_sessions": OWN,
    "confirm_factor": OWN,
    "remove_factor": OWN,
    "choose_notices": ("chooseNotices",),
    "read_notices": "a program reads `listNotices` from where it was",
    "leave_notices": "the way out of a letter: whoever has the letter has no token",
    "add_agent": ("addAgent",),
    "change_agent": ("changeAgent",),
    "invite_agent": SECRET,
    "disable_agent": ("disableAgent",),
    "enable_agent": ("enableAgent",),
    "add_team": ("addTeam",),
    "change_team": ("changeTeam",),
    "remove_team": ("removeTeam",),
    "add_customer": ("addCustomer",),
    "change_customer": ("changeCustomer",),
    "archive_customer": ("archiveCustomer",),
    "restore_customer": ("restoreCustomer",),
    "archive_site": ("archiveSite",),
    "restore_site": ("restoreSite",),
    "archive_asset": ("archiveAsset",),
    "restore_asset": ("restoreAsset",),
    "change_contact": ("changeContact",),
    "change_macro": ("changeMacro",),
    "change_company": ("changeCompany",),
    "decide_retention": ("decideRetention",),
    "hold_ticket": ("holdTicket",),
    "release_ticket": ("releaseTicket",),
    "add_site": ("addSite",),
    "change_site": ("changeSite",),
    "add_asset": ("addAsset",),
    "change_asset": ("changeAsset",),
    "add_contact": ("addContact",),
    "remove_contact": ("removeContact",),
    "add_macro": ("addMacro",),
    "remove_macro": ("removeMacro",),
    "define_field": ("defineField",),
    "retire_field": ("retireField",),
    "begin_desk": ("beginDesk",),
    "enable_desk": ("enableDesk",),
    "disable_desk": ("disableDesk",),
    "roll_desk_back": ("rollDeskBack",),
    "replay_desk": ("replayDesk",),
    "join_pair": ("joinDeskPair",),
    "cut_pair": ("cutDeskPair",),
    "fill_desk": ("fillDesk",),
    "fill_in_desk": ("writeDeskDraft",),
    "write_desk": ("writeDeskDraft",),
    "keep_desk_secret": ("keepDeskSecret",),
    "check_desk": ("checkDesk",),
    "try_desk": ("tryDesk", "tryDeskOnAll"),
    "publish_desk": ("publishDesk",),
    "send_to_desk": ("sendToDesk",),
    "add_webhook": ("addWebhook",),
    "test_webhook": ("testWebhook",),
    "renew_webhook_secret": ("renewWebhookSecret",),
    "enable_webhook": ("enableWebhook",),
    "disable_webhook": ("disableWebhook",),
    "remove_webhook": ("removeWebhook",),
    "replay_webhook": ("replayWebhook",),
    "replay_call": ("replayWebhookCall",),
    "new_token": SECRET,
    "revoke_token": ("revokeToken",),
    "verify_audit": "the log is verified where its export is: `hub audit verify`",
    "export_audit": "one signed file of any length: `hub audit export`",
    "inviting": ("invite",),
    "accepting": ("acceptInvitation",),
    "inviting_by_mail": ("beginMailLink",),
    "promote_link": ("promoteLink",),
    "partner_send": "a page for partners without a node, who have no token",
    "confirm_link": ("confirmLink",),
    "suspend_link": ("suspendLink",),
    "resume_link": ("resumeLink",),
    "close_link": ("closeLink",),
    "agree": ("acceptAmendment",),
    "refuse": ("refuseAmendment",),
    "withdraw": ("withdrawAmendment",),
    "retry_letter": ("retryLetter",),
    "drop_letter": ("dropLetter",),
    "see_alarms": ("seeAlerts",),
    "replay_many": ("listDeliveries", "replayDelivery"),
    "replay": ("replayDelivery",),
    "skip": ("skipDelivery",),
}
"""Each form of the console: the operations that do the same, or why there are none."""


def test_what_the_console_can_do_programs_can_do() -> None:
    assert {page.name for page in PAGES if page.method == "POST"} == FORMS.keys()
    known = {route.name for route in ROUTES}
    named = {name for one in FORMS.values() if isinstance(one, tuple) for name in one}
    assert named <= known


async def test_a_program_looks_after_people_and_tokens(desk: Desk) -> None:
    made = await desk.ours.post(
        "/agents", {"email": "o@plus.example", "name": "Ольга", "role": "engineer"}
    )
    assert (made["role"], made["state"], made["can_sign_in"]) == ("engineer", "enabled", False)
    which = f"/agents/{made['id']}"
    changed = await desk.ours.call("PUT", which, {"name": "Ольга К.", "role": "lead"})
    assert (changed.said["name"], changed.said["role"]) == ("Ольга К.", "lead")
    assert (await desk.ours.post(f"{which}/disable"))["state"] == "disabled"
    assert (await desk.ours.get(which))["state"] == "disabled"
    assert (await desk.ours.post(f"{which}/enable"))["state"] == "enabled"
    assert "Ольга К." in [one["name"] for one in (await desk.ours.get("/agents"))["items"]]

    lesser = await desk.ours.token_for("tickets:read")
    listed = (await desk.ours.get("/tokens"))["items"]
    assert listed[-1]["scopes"] == ["tickets:read"]
    assert not {"token", "token_hash"} & listed[-1].keys()
    assert (await desk.ours.call("DELETE", f"/tokens/{listed[-1]['id']}")).status == 204
    assert (await lesser.call("GET", "/tickets")).status == 401
    assert (await desk.ours.call("GET", "/agents/agt_none")).status == 404
