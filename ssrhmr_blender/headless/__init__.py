"""Baking without a window: many takes, many characters, one command."""
