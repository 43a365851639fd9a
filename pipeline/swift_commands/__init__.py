"""Swift commands, and what is known of their flags."""
