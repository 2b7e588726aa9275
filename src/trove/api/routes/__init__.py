"""One module per resource: parse, ask the service, show the view."""
