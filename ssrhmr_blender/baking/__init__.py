"""The bake as a service: from tracker objects to keyframes on a character."""
