"""The settings that are stored in the scene."""
