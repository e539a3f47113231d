"""What a catalog is, without I/O."""
