"""Steps, each beside the action that takes it back; one module for each thing they act on."""
