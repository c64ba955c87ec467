"""Asks a channel's provider what it has of what is in doubt. It sends nothing and decides nothing: ``verdicts`` does.

The provider is not asked before it surely lists what it took (``Capabilities.asked_after``), and again with growing waits; when
stands in the ledger. Until it says that it has a message or has it not, the message is sent to nobody a second time.
"""

from collections.abc import Sequence
from typing import cast

from consumers.delivery.channel import AskableChannel, Channel, Message
from consumers.delivery.outcome import Finding, Unknown


async def found(channel: Channel, messages: Sequence[Message]) -> Sequence[Finding]:
    """Return what the provider knows of each message; a channel that fails to ask has learnt nothing."""
    if not messages:
        return []
    try:
        findings = await cast(AskableChannel, channel).find(messages)
    except Exception as error:  # a channel promises not to raise; if it does, nothing is known
        return [Unknown(f"the channel failed: {type(error).__name__}")] * len(messages)
    if len(findings) != len(messages):
        return [Unknown("the channel did not say what became of each message")] * len(messages)
    return findings
