"""Many takes baked onto one character, each into an action of its own."""
