"""Give the resources back, and lose nothing: what would be lost, the stop, and the card of who comes back."""
