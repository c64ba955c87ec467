"""The front door: settings, wiring, command line. The only package that knows every other."""

from importlib.metadata import version

__version__ = version("tocsin")
