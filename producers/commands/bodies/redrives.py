"""What the commands carry that have something done after all."""

from typing import Annotated

from pydantic import Field, StrictBool, StringConstraints

from producers.commands.bodies.fields import Body

Id = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Redrive(Body):
    """Have failed notifications sent after all."""

    notifications: Annotated[list[Id], Field(min_length=1, max_length=1_000)]
    """Their ids, as the list of deliveries shows them."""
    even_in_doubt: StrictBool = False
    """Whether those are sent too that may have arrived: some people may be told twice."""
