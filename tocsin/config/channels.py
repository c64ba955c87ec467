"""From the configuration to the settings that each channel in the registry takes; secrets are unwrapped here."""

import msgspec
from pydantic import BaseModel, SecretStr

from consumers.delivery.channels.registry import CHANNELS
from tocsin.config.models import Channels


def channel_settings(channels: Channels) -> dict[str, msgspec.Struct]:
    """Return the settings of each channel that is switched on, by the channel's name."""
    switched_on = {kind.name: getattr(channels, kind.name) for kind in CHANNELS}
    return {
        kind.name: msgspec.convert(_plain(switched_on[kind.name]), kind.settings)
        for kind in CHANNELS
        if switched_on[kind.name] is not None
    }


def _plain(settings: BaseModel) -> dict[str, object]:
    dumped = settings.model_dump(by_alias=True)
    return {key: value.get_secret_value() if isinstance(value, SecretStr) else value for key, value in dumped.items()}
