"""How a tenant's client uses each engine: a module named by the manager, with a CLIENT."""
