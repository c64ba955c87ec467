"""Owns the configuration file: its settings, how it is read, and what is wrong with it. It starts nothing."""

from tocsin.config.loader import load, load_example, parse
from tocsin.config.models import Config
from tocsin.config.problems import ConfigError

__all__ = ["Config", "ConfigError", "load", "load_example", "parse"]
