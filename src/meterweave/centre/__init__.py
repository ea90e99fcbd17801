"""A whole centre in one process: head-end, dispatch of commands, collection, lake and archives, set up together."""

from meterweave.centre.centre import Centre
from meterweave.centre.settings import CentreSettings, LineSettings, Listener, load

__all__ = ["Centre", "CentreSettings", "LineSettings", "Listener", "load"]
