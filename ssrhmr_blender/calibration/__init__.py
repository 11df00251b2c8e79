"""How each tracker sits on its joint."""
