"""One module per resource: parse the request, call the service, show the result."""
