"""What every family shares: arrays, checks, the iteration loop, compilation, optional extras."""
