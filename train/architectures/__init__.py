"""Networks by name. Each takes uint8 RGB (N, H, W, 3) and gives logits (N, C); scaling is part of its graph."""

from train.architectures.network import Network
from train.settings import FitSettings

__all__ = ["Network", "build"]


def build(settings: FitSettings, classes: int, feature_length: int = 0) -> Network:
    """A fresh network with the weights that the settings name. Raises SettingsError where they cannot be loaded.

    The imports wait until they are wanted: Keras takes seconds. feature_length: of a vector of the imported base, where
    the settings say `features_of`.
    """
    if settings.features_of:
        from train.architectures.head import head

        top = head(settings, feature_length, classes)
        return Network(top, head=top)
    if settings.has_base:
        from train.architectures.transfer import transfer

        return transfer(settings, classes)
    from train.architectures.peetz import peetz_net
    from train.architectures.scratch import scratch
    from train.architectures.vgg import vgg

    builders = {"scratch": scratch, "vgg": vgg, "peetz_net": peetz_net}
    return Network(builders[settings.architecture](settings, classes))
