"""How good a reconstruction is: metrics, and running them over clips."""
