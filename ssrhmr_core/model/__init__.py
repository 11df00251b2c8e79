"""The learned model, its weights, and the baseline without a network."""
