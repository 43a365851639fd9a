"""What scripts, tools and plugins share."""
