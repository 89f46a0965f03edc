"""Every simulated desk."""

from __future__ import annotations

from tests.connectors.simulators.desk import Desk
from tests.connectors.simulators.redmine import Redmine

DESKS: tuple[type[Desk], ...] = (Redmine,)
