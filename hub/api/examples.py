"""A right body for each operation that cannot do with an empty one, as the description shows it.

Tests send every one of them; an operation that needs a body and has none here fails a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "createTicket": {"title": "The till prints nothing"},
    "changeTicket": {"title": "The till prints blank receipts"},
    "addComment": {"body": "The engineer comes at noon", "visibility": "public"},
    "editComment": {"body": "The engineer comes at one"},
    "eraseTicket": {"reason": "The requester asked for it"},
    "holdTicket": {"reason": "A dispute"},
    "previewHandoff": {"peer": "Master South"},
    "offerHandoff": {"peer": "Master South", "withhold": ["contact"]},
    "pendHandoff": {"reason": "no_access"},
    "resolveHandoff": {"resolution": "The print head is replaced"},
    "handBackHandoff": {"reason": "Nobody is free this week"},
    "returnHandoff": {"reason": "It still prints nothing"},
    "cancelHandoff": {"reason": "Not needed any more"},
    "retractHandoff": {"reason": "Asked too early"},
    "askConsentHandoff": {"reason": "We have nobody in that town"},
    "consentHandoff": {"granted": True},
    "detachHandoff": {"reason": "We go on alone"},
    "planHandoff": {"stage": "on the way"},
    "rateHandoff": {"score": 5},
    "replyHandoff": {"text": "Thank you"},
    "invite": {"peer": "Master South"},
    "beginMailLink": {"address": "service@east.example"},
    "acceptInvitation": {"code": "txp1.…"},
    "proposeAmendment": {"scopes": {}},
    "dropLetter": {"reason": "Advertising"},
    "skipDelivery": {"reason": "Settled by phone"},
    "tieTickets": {"other": "T-1002"},
    "advanceVisit": {"stage": "on_way"},
    "tickItem": {"done": True},
    "saveView": {"name": "Mine", "query": "assignee=me"},
    "addMacro": {"name": "We come tomorrow"},
    "keepDraft": {"body": "I have begun to"},
    "addCustomer": {"name": "Bakeries"},
    "changeCustomer": {"name": "Bakeries"},
    "addSite": {"name": "Lenin street 5"},
    "changeSite": {"name": "Lenin street 5"},
    "addAsset": {"name": "The till at the door"},
    "changeAsset": {"name": "The till at the door"},
    "addContact": {"name": "Anna"},
    "defineField": {"name": "Floor"},
    "addTeam": {"name": "Tills"},
    "changeTeam": {"name": "Tills"},
    "addAgent": {"email": "olga@plus.example", "name": "Olga", "role": "engineer"},
    "changeAgent": {"name": "Olga", "role": "engineer"},
    "seeAlerts": {"alerts": ["alr_00000000000000000000000000000000"]},
    "changeContact": {"name": "Anna"},
    "changeMacro": {"name": "We come tomorrow"},
    "beginDesk": {"kind": "redmine", "name": "ours", "company": "Bank", "role": "own_desk"},
    "writeDeskDraft": {
        "seal": "of the draft read",
        "settings": "company: x",
        "description": "desk: x",
    },
    "keepDeskSecret": {"secret": "key", "value": "from the desk's own settings"},
    "tryDesk": {"there": "1"},
    "joinDeskPair": {"ticket": "T-1001", "there": "1"},
    "cutDeskPair": {"ticket": "T-1001"},
    "sendToDesk": {"ticket": "T-1001"},
    "addWebhook": {"url": "https://desk.plus.example/events"},
}
"""By `operationId`."""
