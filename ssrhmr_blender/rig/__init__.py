"""Characters as Blender has them: reading their rest pose, turning poses into keys."""
