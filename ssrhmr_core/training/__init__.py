"""Training of the learned stages. Needs torch; nothing here is imported at run time."""
