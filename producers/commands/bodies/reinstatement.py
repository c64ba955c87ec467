"""What the command carries that lets a suppressed address be told again."""

from pydantic import StrictBool

from producers.commands.bodies.fields import Body


class Reinstate(Body):
    """Let a suppressed address be told again."""

    even_complained: StrictBool = False
    """Whether that is so though its owner reported what was sent as spam."""
