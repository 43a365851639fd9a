"""The speed of training at full size: rows, their clock, and plugins of ms-swift."""
