"""What the service is held to, measured against what it stands on, on the same machine."""
