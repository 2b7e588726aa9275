"""What authors of datastores and providers need to test theirs; no part of the product uses it."""
