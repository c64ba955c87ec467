"""Owns the command line ``tocsin``; it decides nothing that the server does not decide."""

from tocsin.cli.app import app, main

__all__ = ["app", "main"]
