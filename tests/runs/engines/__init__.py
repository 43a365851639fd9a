"""Other engines, or stand-ins for them."""
