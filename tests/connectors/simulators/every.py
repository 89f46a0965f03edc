"""Every simulated desk."""

from __future__ import annotations

from tests.connectors.simulators.desk import Desk
from tests.connectors.simulators.django_helpdesk import DjangoHelpdesk
from tests.connectors.simulators.jira import Jira
from tests.connectors.simulators.naumen import Naumen
from tests.connectors.simulators.okdesk import Okdesk
from tests.connectors.simulators.redmine import Redmine
from tests.connectors.simulators.request_tracker import RequestTracker
from tests.connectors.simulators.roundup import Roundup
from tests.connectors.simulators.servicenow import ServiceNow
from tests.connectors.simulators.webhook import Receiver
from tests.connectors.simulators.zendesk import Zendesk
from tests.connectors.simulators.znuny import Znuny

DESKS: tuple[type[Desk], ...] = (
    DjangoHelpdesk,
    Jira,
    Naumen,
    Okdesk,
    Receiver,
    Redmine,
    RequestTracker,
    Roundup,
    ServiceNow,
    Zendesk,
    Znuny,
)
