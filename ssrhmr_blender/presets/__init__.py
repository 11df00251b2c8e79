"""Mappings, tracker setups and calibrations as named JSON files."""
