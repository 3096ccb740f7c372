"""What leaves the registry as a file of its own, one format a file."""
