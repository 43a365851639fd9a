"""What people, make and continuous integration run."""
