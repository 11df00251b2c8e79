"""The wire formats: each module decodes and encodes one protocol."""
