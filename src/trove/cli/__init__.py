"""The commands: what people and init systems start."""
