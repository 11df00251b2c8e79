"""Live capture without Blender: tracker readings in, poses and recorded takes out."""
