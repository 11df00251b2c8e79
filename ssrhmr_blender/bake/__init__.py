"""From trackers to keyframes."""
