"""What the services tell, as the wire shows it."""
