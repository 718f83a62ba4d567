"""Services that images are searched with, one file each, all through their official APIs."""

from typing import Final

from train.collect.providers import commons, eol, flickr, gbif, google, inaturalist, openverse, reddit
from train.collect.providers.found import Provider

PROVIDERS: Final[dict[str, Provider]] = {
    module.PROVIDER.name: module.PROVIDER
    for module in (commons, inaturalist, gbif, openverse, eol, flickr, google, reddit)
}
