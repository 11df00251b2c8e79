"""Several characters in one scene, each with its own setup."""
