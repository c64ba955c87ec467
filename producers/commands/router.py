"""The command API put together: ``/api/v1/pages/{page}/...``, and what people click."""

from fastapi import APIRouter

from producers.commands.batches import Batches
from producers.commands.deps import CommandDeps
from producers.commands.desk import Desk
from producers.commands.drafts import Drafts
from producers.commands.forms import Forms
from producers.commands.incidents import Incidents
from producers.commands.maintenances import Maintenances
from producers.commands.manage_forms import ManageForms
from producers.commands.managing import Managing
from producers.commands.phone_forms import PhoneForms
from producers.commands.redrives import Redrives
from producers.commands.reinstatement import Reinstatements
from producers.commands.sign_up import SignUps
from producers.commands.subscribers import Subscribers

PREFIX = "/api/v1/pages/{page}"


def commands_router(deps: CommandDeps) -> APIRouter:
    """Return every route that changes something by hand."""
    desk = Desk(deps)
    sign_ups = SignUps(desk)
    subscribers = Subscribers(desk, sign_ups)
    router = APIRouter()
    by_hand = (Incidents(desk), Drafts(desk), Maintenances(desk))
    for part in (*by_hand, subscribers, Batches(desk), Redrives(desk), Reinstatements(desk)):
        router.include_router(part.routes(), prefix=PREFIX)
    router.include_router(Forms(desk, sign_ups, subscribers).routes())
    router.include_router(ManageForms(desk, sign_ups, Managing(desk, sign_ups)).routes())
    router.include_router(PhoneForms(desk, sign_ups).routes())
    return router
