"""What every action asks first: whether the one who acts may do that."""

from __future__ import annotations

from hub.actions.context import Actor
from hub.domain.permission import Permission, may
from hub.errors import Refused


def require(actor: Actor, permission: Permission) -> None:
    """Return if this actor may. Raises Refused(not_yours).

    A token without the scope `admin` lacks that permission, whoever its agent is; what its other
    scopes open, the door for programs says.
    """
    if not may(actor.role, permission) or _out_of_scope(actor, permission):
        raise Refused("not_yours", "Your role does not allow this.")


def _out_of_scope(actor: Actor, permission: Permission) -> bool:
    return permission is Permission.ADMIN and (
        actor.scopes is not None and Permission.ADMIN not in actor.scopes
    )
